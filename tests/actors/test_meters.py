"""Counting executions, one process at a time and all of them together."""

from __future__ import annotations

from stageflow_actors import BatchStats, StageStats
from stageflow_actors.actors.meters import Ledger, Meter, Tally


def opened(at):
    meter = Meter()
    meter.open(at)
    return meter


def times(meter, now):
    tally = meter.tally(now)
    return tally.busy_s, tally.ready_s


def test_what_was_given_to_a_process_is_executing_until_it_comes_back():
    meter = opened(0)
    meter.begin(1, 10)
    meter.begin(1, 20)
    meter.end(2, 5)
    assert meter.tally(3)[:2] == (1, 1)
    assert meter.tally(3)[4:6] == (30, 5)
    assert meter.load == 1


def test_executions_at_the_same_time_are_busy_once():
    meter = opened(0)
    meter.begin(1)
    meter.begin(2)
    meter.end(3)
    assert times(meter, 5) == (4, 5)  # one goes on
    meter.end(6)
    meter.begin(8)
    meter.end(9)
    assert times(meter, 10) == (6, 10)


def test_what_is_learnt_of_late_is_busy_from_when_it_began_and_no_time_counts_twice():
    meter = opened(1)
    meter.begin(0)
    meter.end(2)
    meter.begin(1)
    meter.end(4)
    assert times(meter, 4) == (3, 3)


def test_what_a_process_never_saw_is_no_execution():
    meter = opened(0)
    meter.begin(1, 10)
    meter.take_back(3)
    assert (meter.load, meter.executions) == (0, 0)


def test_a_process_that_is_not_ready_yet_has_no_time():
    assert times(Meter(), 5) == (0, 0)


def test_a_process_that_has_ended_is_neither_busy_nor_ready_any_more():
    meter = opened(0)
    meter.begin(1)
    meter.close(2)
    meter.close(7)
    assert not meter.is_closed  # what it had comes back yet
    assert times(meter, 9) == (1, 2)
    meter.end(9)
    assert meter.is_closed
    assert times(meter, 9) == (1, 2)


def test_of_two_answers_about_batches_the_later_one_counts():
    meter = opened(0)
    for told in (BatchStats(2, 5, 3), BatchStats(1, 2, 2), BatchStats(2, 5, 3, 1)):
        meter.note_batches(told)
        assert meter.batches.batches == 2
    assert meter.batches.splits == 1


def test_several_processes_add_up_and_those_that_left_stay_counted():
    ledger, first, second = Ledger(), opened(0), opened(1)
    for meter in (first, second):
        ledger.add(meter)
        meter.begin(2, 10)
        meter.end(4, 1)
    first.note_batches(BatchStats(2, 6, 4, 1))
    second.note_batches(BatchStats(1, 5, 5, 0))
    both = Tally(0, 2, 4, 11, 20, 2, BatchStats(3, 11, 5, 1))
    assert ledger.tally(6) == both
    first.close(6)
    assert ledger.tally(6) == both
    ledger.add(Meter())
    second.close(6)
    assert ledger.tally(100) == both


def test_what_a_dead_process_had_is_counted_when_it_comes_back():
    ledger, meter = Ledger(), opened(0)
    ledger.add(meter)
    meter.begin(1)
    meter.close(2)
    ledger.add(Meter())
    assert ledger.tally(3)[:2] == (1, 0)
    meter.end(3)
    ledger.add(Meter())
    assert ledger.tally(3)[:2] == (0, 1)


def test_any_number_of_processes_may_come_and_go_and_only_those_there_are_kept():
    ledger = Ledger()
    for at in range(100):
        meter = opened(at)
        ledger.add(meter)
        meter.begin(at)
        meter.end(at)
        meter.close(at + 1)
    assert len(ledger._meters) == 1
    assert ledger.tally(500)[1:4] == (100, 0, 100)


def test_a_stage_that_takes_batches_has_counts_of_them_from_the_start_and_no_other_has_any():
    stats = Tally(1, 2, 3.0, 4.0, 5, 6).stats("a", replicas=7, waiting=8)
    assert stats == StageStats("a", 7, 8, 1, 2, 3.0, 4.0, 5, 6, None)
    assert Tally().stats("a", replicas=1, waiting=0, takes_batches=True).batches == BatchStats()


def test_utilisation_is_the_busy_part_of_the_time_and_none_where_there_was_no_time():
    assert Tally(busy_s=1.0, ready_s=4.0).stats("a", replicas=1, waiting=0).utilisation == 0.25
    assert Tally().stats("a", replicas=1, waiting=0).utilisation == 0
