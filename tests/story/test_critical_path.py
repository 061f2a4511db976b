from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings

from stageflow_actors.story.critical_path import (
    Spent,
    critical_path,
    decided_by,
    shares_of,
)
from stageflow_actors.story.spans import span_of, window_of
from stageflow_actors.story.story import RunStory
from tests.story.runs import ZERO, Script, chain, scripts


def pieces(script):
    """Stage, kind and seconds of each piece."""
    path = critical_path(script.story)
    return [(p.stage, p.kind.value, pytest.approx(p.seconds, abs=1e-6)) for p in path]


def stages(script):
    found = [piece.stage for piece in critical_path(script.story) if piece.stage]
    return [stage for stage, after in pairwise([*found, ""]) if stage != after]


def test_a_chain_is_working_waiting_and_what_the_runtime_took():
    assert pieces(chain()) == [
        ("a", "working", 2),
        ("b", "waiting", 1),
        ("b", "working", 2),
        ("b", "runtime", 1),
    ]


def test_of_two_that_a_stage_waits_for_the_later_one_counts():
    script = Script().begin().ran("quick", 0, 1).ran("slow", 0, 4)
    script.ran("last", 4, 5, dependencies=["quick", "slow"]).end(5)
    assert stages(script) == ["slow", "last"]


def test_a_stage_that_comes_after_another_one_waits_for_it_too():
    script = Script().begin().ran("a", 0, 1).ran("b", 0, 3).ran("c", 3, 4, after=["a", "b"]).end(4)
    assert stages(script) == ["b", "c"]


def test_what_nobody_waited_for_is_not_on_the_path():
    script = Script().begin().ran("a", 0, 1).ran("beside", 0, 3).ran("b", 1, 4, dependencies=["a"])
    assert stages(script.end(4)) == ["a", "b"]


def test_the_wait_before_a_retry_is_told_apart():
    script = Script().begin().start("a", 0)
    script.close("a", 1, "error", (0, 1), action_taken="retry")
    script.ran("a", 4, 5, attempt=2).end(5)
    assert pieces(script) == [("a", "working", 1), ("a", "retrying", 3), ("a", "working", 1)]


def test_a_run_that_ends_while_a_stage_waits_to_be_retried_has_spent_that_wait():
    script = Script().begin().start("a", 0)
    script.close("a", 1, "error", (0, 1), action_taken="retry")
    script.end(5, "timed_out", deciding_stage="<run>")
    assert pieces(script) == [("a", "working", 1), ("a", "retrying", 4)]
    assert decided_by(script.story, critical_path(script.story)) == "a"


def test_what_a_guard_rejected_is_made_again_after_the_guard():
    script = Script().begin().ran("make", 0, 1).start("guard", 1, dependencies=["make"])
    script.close("guard", 2, "error", (1, 2), action_taken="guard_retry")
    script.ran("make", 2, 3, attempt=2)
    script.ran("guard", 3, 4, attempt=2, dependencies=["make"]).end(4)
    assert stages(script) == ["make", "guard", "make", "guard"]


def test_a_guard_that_a_reader_does_not_name_is_on_the_path_if_it_let_it_begin():
    script = Script().begin().ran("make", 0, 1).ran("guard", 1, 3, dependencies=["make"])
    script.ran("read", 3, 4, dependencies=["make"]).end(4)
    assert stages(script) == ["make", "guard", "read"]


def test_a_process_that_went_ahead_of_its_run_was_not_waited_for():
    script = Script().begin().start("a", 0).close("a", 10, body=(0, 5))
    script.start("b", 10, dependencies=["a"]).close("b", 10, body=(5, 9.5)).end(10)
    assert pieces(script) == [
        ("a", "working", 5),
        ("b", "working", 4.5),
        ("b", "runtime", 0.5),
    ]


def test_records_that_do_not_say_what_a_stage_waits_for_are_told_by_their_times():
    script = Script().begin().start("a", 0).close("a", 2, duration_ms=1500)
    script.start("b", 2).close("b", 5).end(5)
    assert pieces(script) == [("a", "waiting", 0.5), ("a", "working", 1.5), ("b", "working", 3)]


def test_a_stage_that_failed_is_waited_for_and_not_those_that_were_told_to_stop():
    script = Script().begin().ran("a", 0, 1).start("beside", 0).start("bad", 1, dependencies=["a"])
    script.close("bad", 3, "failed", (1, 3), status="failed")
    script.close("beside", 5, "cancelled", (0, 5), status="interrupted")
    script.end(5, "failed", deciding_stage="bad")
    assert pieces(script) == [("a", "working", 1), ("bad", "working", 2), (None, "runtime", 2)]


def test_a_finalizer_after_a_failure_is_on_the_path():
    script = Script().begin().start("bad", 0)
    script.close("bad", 1, "failed", (0, 1), status="failed")
    script.ran("tidy", 1, 4, after=["bad"]).end(4, "failed", deciding_stage="bad")
    assert stages(script) == ["bad", "tidy"]
    assert decided_by(script.story, critical_path(script.story)) == "bad"


def test_of_a_run_whose_time_was_up_the_stage_that_it_waited_for_longest_decided():
    script = Script().begin().ran("a", 0, 1).start("late", 8).start("long", 1, dependencies=["a"])
    for stage, began in (("long", 1), ("late", 8)):
        script.close(stage, 10, "cancelled", (began, 10), status="interrupted")
    script.end(10, "timed_out", deciding_stage="<run>")
    path = critical_path(script.story)
    assert decided_by(script.story, path) == "long"
    (first, second) = shares_of(path)
    assert (first.stage, first.part) == ("long", pytest.approx(0.9))
    assert (second.stage, second.by_kind) == ("a", {Spent.WORKING: pytest.approx(1)})


def test_nobody_decided_a_run_that_ended_well():
    story = chain().story
    assert decided_by(story, critical_path(story)) is None


def test_a_run_that_goes_on_waits_for_what_has_gone_on_for_longest():
    script = Script().begin().start("long", 0).ran("quick", 0, 1)
    script.start("next", 1, dependencies=["quick"]).tell("shop.told", 7)
    assert pieces(script) == [("long", "working", 7)]


def test_a_run_without_attempts_is_the_runtimes_own():
    assert pieces(Script().begin().end(2)) == [(None, "runtime", 2)]


def test_a_run_of_which_nothing_is_known_has_no_path():
    assert critical_path(RunStory("r")) == ()
    assert shares_of(()) == []


def test_a_skipped_stage_leads_on_to_what_let_it_be_skipped():
    script = Script().begin().ran("route", 0, 2).close("off", 2, "skipped", status="skip")
    script.ran("join", 2, 3, dependencies=["off", "route"]).end(3)
    assert stages(script) == ["route", "join"]


@settings(max_examples=100, deadline=None)
@given(scripts())
def test_the_pieces_add_up_to_the_run_exactly(script):
    if not script.events:
        return
    story = script.story
    path, window = critical_path(story), window_of(story)
    total = sum((Fraction(p.ended_at) - Fraction(p.started_at) for p in path), Fraction())
    assert total == Fraction(window.ended_at) - Fraction(window.began_at)
    assert all(p.ended_at == q.started_at for p, q in pairwise(path))
    assert all(p.seconds > 0 for p in path)
    if path:
        assert sum(share.part for share in shares_of(path)) == pytest.approx(1)


@settings(max_examples=100, deadline=None)
@given(scripts())
def test_moments_of_an_attempt_are_in_order_and_inside_the_run(script):
    for story in [script.story] if script.events else []:
        window = window_of(story)
        for attempt in story.attempts:
            span = span_of(attempt, window)
            assert list(span) == sorted(span)
            assert window.began_at <= span.started_at
            assert span.closed_at <= window.ended_at


def test_the_window_of_a_run_is_from_its_acceptance_to_its_end():
    assert window_of(chain().story) == (ZERO, ZERO + 6)
