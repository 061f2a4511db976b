"""What is kept and what is dropped, with no thread and no clock."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from stageflow_actors.adapters.analytics.buffer import (
    BufferLimits,
    EventBuffer,
    Notice,
    Offer,
    PackedEvent,
)
from stageflow_actors.adapters.analytics.pauses import Pauses
from tests.analytics.naive_queue import RandomHistory

MANY_BYTES = 10**6


def buffer(max_events, max_bytes=MANY_BYTES, mark=1.0):
    return EventBuffer(BufferLimits(max_events, max_bytes, mark))


def plain(line="x"):
    return PackedEvent(line, is_audit=False)


def audit(line="a"):
    return PackedEvent(line, is_audit=True)


def test_it_agrees_with_a_naive_queue_over_random_histories():
    run_state_machine_as_test(
        RandomHistory, settings=settings(deadline=None, max_examples=80, stateful_step_count=40)
    )


def test_oldest_that_may_go_goes_first():
    full = buffer(3)
    for event in (audit(), plain("1"), plain("2"), plain("3")):
        assert full.offer(event) is Offer.TAKEN
    assert [event.line for event in full.take(9)] == ["a", "2", "3"]
    assert full.dropped == 1


def test_what_the_exporter_has_just_now_is_not_dropped():
    full = buffer(2)
    full.offer(plain("1"))
    full.offer(plain("2"))
    full.take(2)
    assert full.offer(plain("3")) is Offer.DROPPED
    assert full.offer(audit()) is Offer.NO_ROOM
    full.put_back()
    assert full.offer(audit()) is Offer.TAKEN
    assert [event.line for event in full.take(2)] == ["2", "a"]


def test_bytes_are_bounded_as_events_are():
    size = plain("x" * 1000).size
    full = buffer(100, max_bytes=2 * size)
    for _event in range(3):
        full.offer(plain("x" * 1000))
    assert (full.buffered, full.bytes, full.dropped) == (2, 2 * size, 1)


def test_event_larger_than_the_buffer_takes_no_other_along():
    full = buffer(10, max_bytes=1000)
    full.offer(plain("small"))
    assert full.offer(plain("x" * 1000)) is Offer.DROPPED
    assert full.buffered == 1


def test_audit_event_larger_than_the_buffer_has_it_to_itself():
    full = buffer(10, max_bytes=1000)
    full.offer(audit("small"))
    assert full.offer(audit("x" * 1000)) is Offer.NO_ROOM
    full.take(1)
    full.confirm()
    full.offer(plain("goes"))
    assert full.offer(audit("x" * 1000)) is Offer.TAKEN
    assert full.offer(plain("small")) is Offer.DROPPED
    assert full.offer(audit("small")) is Offer.NO_ROOM
    assert full.buffered == 1


def test_mark_is_told_once_until_the_buffer_was_below_half_of_it():
    full = buffer(10, mark=0.8)
    for _event in range(10):
        full.offer(plain())
    assert list(full.notices) == [Notice(-1, 8)]
    for _batch in range(3):  # down to 4, half of the mark, and up again
        full.take(2)
        full.confirm()
    for _event in range(4):
        full.offer(plain())
    assert len(full.notices) == 1
    full.take(5)
    full.confirm()
    for _event in range(5):
        full.offer(plain())
    assert list(full.notices) == [Notice(-1, 8), Notice(-1, 8)]


def test_mark_counts_bytes_too():
    full = buffer(1000, max_bytes=10 * plain().size, mark=0.5)
    for _event in range(5):
        full.offer(plain())
    assert list(full.notices) == [Notice(-1, 5)]


def test_each_overflow_is_told_with_all_dropped_so_far():
    size = plain("x" * 100).size
    full = buffer(100, max_bytes=3 * size)
    for _event in range(3):
        full.offer(plain("x" * 100))
    full.notices.clear()
    full.offer(plain("x" * (100 + size)))  # takes the place of two
    full.offer(plain("x" * 100))
    assert list(full.notices) == [Notice(2, 2), Notice(3, 2)]


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ((0, 1, 0.5), "max_buffer_size"),
        ((1, 0, 0.5), "max_buffer_bytes"),
        ((1, 1, 0.0), "high_water_mark"),
        ((1, 1, 1.1), "high_water_mark"),
        ((1, "x", 0.5), "max_buffer_bytes must be whole numbers, at least 1, got 1 and 'x'"),
        ((True, 1, 0.5), "max_buffer_size"),
        ((1, 1, "x"), "high_water_mark"),
    ],
)
def test_limits_that_make_no_sense_are_refused(limits, said):
    with pytest.raises(ValueError, match=said):
        BufferLimits(*limits)


def test_pauses_double_up_to_the_longest():
    pauses = Pauses(0.5, 5)
    assert [pauses.after(failures) for failures in (1, 2, 3, 4, 5, 10**6)] == [0.5, 1, 2, 4, 5, 5]
    for wrong in [(0, 1), (2, 1), ("x", 1), (1, None)]:
        with pytest.raises(ValueError, match="retry_pause_s"):
            Pauses(*wrong)
