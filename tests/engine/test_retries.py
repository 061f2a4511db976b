"""Which failures are followed by another attempt, when, and how often."""

import itertools

import pytest

from stageflow_actors.engine.commands import ArmTimer, DisarmTimer, StartStage
from stageflow_actors.engine.facts import Ending, TimerKind
from stageflow_actors.engine.state import RunPhase, StageState
from stageflow_actors.model.settings import Settings
from tests.engine.scene import Scene


def begun(graph, settings=None, /, **timeouts):
    scene = Scene(graph, settings, **timeouts)
    scene.begin()
    return scene


def wait_over(scene, stage="a"):
    return scene.tick(scene.fired(TimerKind.RETRY, stage))


# --- one retry ------------------------------------------------------------------------------------


def test_a_covered_failure_waits_and_runs_again_with_the_next_number():
    scene = begun({"a": "retry:3", "b": "a"})
    told = scene.tick(scene.flaw("a"))
    assert scene.state("a") is StageState.RETRYING
    assert told.armed == {("retry", "a"): 1.0}
    assert (told.started, told.verdict) == ([], None)
    told = wait_over(scene)
    assert StartStage(0, 2) in told.commands
    assert told.event("stage.a.started").attempt == 2
    assert scene.tick(scene.ok("a")).started == ["b"]


def test_a_failure_that_the_policy_does_not_cover_stands():
    scene = begun({"a": "retry:3"})
    told = scene.tick(scene.fail("a"))
    assert told.events == ["stage.a.failed", "stage.error", "pipeline.failed"]


def test_a_covered_failure_of_a_stage_without_a_policy_stands():
    scene = begun({"a": ""})
    assert scene.tick(scene.flaw("a")).verdict == ("failed", "a", "flaw")


def test_a_retry_is_told_with_its_delay_and_its_error():
    scene = begun({"a": "retry:3"})
    told = scene.tick(scene.flaw("a", "no answer"))
    assert told.events == ["stage.retry_scheduled", "stage.error"]
    event = told.event("stage.retry_scheduled")
    assert (event.stage, event.attempt, event.at) == (0, 1, 101.0)
    assert event.data == {
        "stage": "a",
        "attempt": 1,
        "delay_ms": 1000,
        "error": "no answer",
        "backoff_strategy": "exponential",
    }


def test_the_rest_of_the_run_goes_on_while_a_stage_waits_for_its_retry():
    scene = begun({"a": "retry:2", "b": "", "c": "b"})
    scene.tick(scene.flaw("a"))
    assert scene.tick(scene.ok("b")).started == ["c"]
    assert scene.tick(scene.ok("c")).verdict is None
    wait_over(scene)
    assert scene.tick(scene.ok("a")).verdict == ("ok", None, None)


def test_every_attempt_has_a_timer_of_its_own():
    scene = begun({"a": "retry:2"}, a=5.0)
    first = scene.timer_of(TimerKind.ATTEMPT, "a")
    assert DisarmTimer(first) in scene.tick(scene.flaw("a")).commands
    told = wait_over(scene)
    second = scene.timer_of(TimerKind.ATTEMPT, "a")
    assert second.attempt == 2
    assert ArmTimer(second, 5.0) in told.commands
    assert DisarmTimer(second) in scene.tick(scene.ok("a")).commands


def test_what_an_attempt_that_is_over_says_is_late():
    scene = begun({"a": "retry:2"}, a=5.0)
    first_end, first_timer = scene.ok("a"), scene.timer("a")
    scene.tick(scene.flaw("a"))
    assert scene.tick(first_end, first_timer) == []
    first_wait = scene.fired(TimerKind.RETRY, "a")
    wait_over(scene)
    assert scene.tick(first_end, first_timer, first_wait) == []
    assert (scene.state("a"), scene.late_facts) == (StageState.RUNNING, 5)


def test_the_wait_of_an_earlier_retry_does_not_cut_a_later_one_short():
    scene = begun({"a": "retry:3"})
    scene.tick(scene.flaw("a"))
    first_wait = scene.fired(TimerKind.RETRY, "a")
    wait_over(scene)
    scene.tick(scene.flaw("a"))
    assert scene.tick(first_wait) == []
    assert wait_over(scene).started == ["a"]


# --- how often ------------------------------------------------------------------------------------


def test_max_attempts_counts_the_first_and_then_the_failure_stands():
    scene = begun({"a": "retry:3"})
    for _ in range(2):
        scene.tick(scene.flaw("a"))
        wait_over(scene)
    told = scene.tick(scene.flaw("a", "last"))
    assert told.verdict == ("failed", "a", "last")
    assert told.event("stage.retry_exhausted").data == {
        "stage": "a",
        "attempts": 3,
        "error": "last",
        "reason": "max_attempts",
    }


def test_max_attempts_of_one_is_no_retry():
    scene = begun({"a": "retry:1"})
    assert scene.tick(scene.flaw("a")).verdict == ("failed", "a", "flaw")


def test_the_delay_grows_from_retry_to_retry():
    scene = begun({"a": "retry:5"})
    delays = []
    for _ in range(4):
        delays.append(scene.tick(scene.flaw("a")).armed["retry", "a"])
        wait_over(scene)
    assert delays == [1.0, 2.0, 4.0, 8.0]


def test_retries_of_all_stages_share_the_budget_of_the_run():
    scene = begun({"a": "retry:9", "b": "retry:9"}, Settings(max_retries_per_run=2))
    scene.tick(scene.flaw("a"), scene.flaw("b"))
    wait_over(scene)
    told = scene.tick(scene.flaw("a", "last"))
    assert told.event("stage.retry_exhausted").data["reason"] == "budget"
    assert told.verdict == ("failed", "a", "last")


def test_the_last_of_the_budget_goes_to_the_first_of_the_plan():
    for order in itertools.permutations("ab"):
        scene = begun({"a": "retry:2", "b": "retry:2"}, Settings(max_retries_per_run=1))
        told = scene.tick(*(scene.flaw(name) for name in order))
        assert told.verdict == ("failed", "b", "flaw")
        assert scene.state("a") is StageState.INTERRUPTED


def test_retries_that_are_used_up_leave_the_rest_to_the_fallback_or_the_mode():
    for words, state in (("fallback", StageState.FELL_BACK), ("tolerant", StageState.FAILED)):
        scene = begun({"a": f"retry:2 {words}"})
        assert "stage.a.failed" not in scene.tick(scene.flaw("a")).events
        wait_over(scene)
        assert scene.tick(scene.flaw("a")).verdict == ("ok", None, None)
        assert scene.state("a") is state


# --- what is asked for ----------------------------------------------------------------------------


def test_a_stage_that_asks_to_run_again_does_so_without_a_policy_for_three_attempts():
    scene = begun({"a": ""})
    for _ in range(2):
        assert scene.tick(scene.ask_again("a")).events == ["stage.retry_scheduled", "stage.error"]
        wait_over(scene)
    assert scene.tick(scene.ask_again("a")).verdict == ("failed", "a", "not yet")


def test_a_stage_with_a_policy_that_asks_to_run_again_has_the_attempts_of_the_policy():
    scene = begun({"a": "retry:2 effects:once_only"})
    scene.tick(scene.ask_again("a"))
    wait_over(scene)
    assert scene.tick(scene.ask_again("a")).verdict == ("failed", "a", "not yet")


def test_a_failure_may_ask_for_a_longer_wait_and_not_for_a_shorter_one():
    for asked, waits in ((7.0, 7.0), (0.5, 1.0)):
        scene = begun({"a": "retry:2"})
        told = scene.tick(scene.flaw("a", retry_after_s=asked))
        assert told.armed == {("retry", "a"): waits}


def test_a_wait_that_was_asked_for_and_does_not_count_is_told():
    scene = begun({"a": "retry:2"})
    told = scene.tick(scene.flaw("a", ignored_retry_after="negative"))
    data = told.event("stage.retry_after_ignored").data
    assert data == {"stage": "a", "ignored": "negative"}


# --- timeouts -------------------------------------------------------------------------------------


def test_a_covered_timeout_is_retried_once_the_late_body_has_ended():
    scene = begun({"a": "retry:2 covers:timeout", "b": ""}, a=1.5)
    told = scene.tick(scene.timer("a"))
    assert list(told.interrupted) == ["a"]
    told = scene.tick(scene.ok("a"))
    assert told.events == ["stage.retry_scheduled", "stage.error"]
    assert told.event("stage.error").data["error_type"] == "StageTimeoutError"
    assert wait_over(scene).started == ["a"]


def test_a_covered_timeout_of_the_last_attempt_stops_the_run_at_once():
    scene = begun({"a": "retry:2 covers:timeout", "b": ""}, a=1.5)
    scene.tick(scene.timer("a"))
    scene.tick(scene.ok("a"))
    wait_over(scene)
    assert sorted(scene.tick(scene.timer("a")).interrupted) == ["a", "b"]
    scene.tick(scene.interrupted("b"))
    told = scene.tick(scene.ok("a"))
    assert told.verdict == ("timed_out", "a", "Stage timed out after 1500ms")


def test_a_timeout_that_might_have_been_retried_stands_if_the_budget_has_gone_meanwhile():
    graph = {"a": "retry:2 covers:timeout", "b": "retry:2"}
    scene = begun(graph, Settings(max_retries_per_run=1), a=1.5)
    assert list(scene.tick(scene.timer("a")).interrupted) == ["a"]
    scene.tick(scene.flaw("b"))
    told = scene.tick(scene.ok("a"))
    assert told.verdict == ("timed_out", "a", "Stage timed out after 1500ms")


@pytest.mark.parametrize(
    ("words", "repeats"),
    [
        ("retry:2", False),
        ("retry:2 covers:timeout", True),
        ("retry:2 covers:timeout effects:none", True),
        ("retry:2 covers:timeout effects:once_only", False),
        ("effects:none", False),
    ],
)
@pytest.mark.parametrize("found_by", ["timer", "its own process"])
def test_which_timeouts_are_retried(words, repeats, found_by):
    scene = begun({"a": words}, a=1.5)
    if found_by == "timer":
        scene.tick(scene.timer("a"))
    told = scene.tick(scene.ended("a", Ending.TIMED_OUT, "idle"))
    assert (scene.state("a") is StageState.RETRYING) is repeats
    assert (told.verdict is None) is repeats


# --- in a run that stops --------------------------------------------------------------------------


@pytest.mark.parametrize("stop", [lambda s: s.fail("b", "why"), lambda s: s.outside("why")])
def test_a_stage_that_waits_for_its_retry_when_the_run_stops_is_given_up(stop):
    scene = begun({"a": "retry:2", "b": ""})
    scene.tick(scene.flaw("a"))
    told = scene.tick(stop(scene))
    assert scene.state("a") is StageState.INTERRUPTED
    assert DisarmTimer(scene.timer_of(TimerKind.RETRY, "a")) in told.commands
    event = told.event("stage.a.cancelled")
    assert event.attempt == 1
    assert event.data == {"status": "interrupted", "reason": "why"}


def test_a_wait_that_is_over_in_the_tick_that_stops_the_run_starts_nothing():
    scene = begun({"a": "retry:2", "b": ""})
    scene.tick(scene.flaw("a"))
    told = scene.tick(scene.fired(TimerKind.RETRY, "a"), scene.fail("b"))
    assert (told.started, told.verdict) == ([], ("failed", "b", "boom"))


def test_a_stage_that_was_told_to_stop_with_its_run_is_not_retried():
    scene = begun({"a": "retry:2", "b": ""})
    scene.tick(scene.fail("b"))
    told = scene.tick(scene.flaw("a"))
    assert told.events == ["stage.a.failed", "stage.error", "pipeline.failed"]


def test_a_late_stage_is_not_retried_where_its_run_has_stopped_meanwhile():
    scene = begun({"a": "retry:2 covers:timeout", "b": ""}, a=1.5)
    scene.tick(scene.timer("a"))
    scene.tick(scene.fail("b"))
    assert scene.tick(scene.interrupted("a")).verdict == ("failed", "b", "boom")


# --- finalizers -----------------------------------------------------------------------------------

CLOSING = {"work": "", "beside": "", "early": "", "close": "any:early retry:3"}


def closing():
    """A run in which the finalizer ``close`` has failed and waits for its retry."""
    scene = begun(CLOSING)
    scene.tick(scene.ok("early"))
    scene.tick(scene.flaw("close"))
    return scene


def test_a_finalizer_that_waits_for_its_retry_when_the_run_fails_is_spared():
    scene = closing()
    assert scene.tick(scene.fail("work")).interrupted == {"beside": "boom"}
    assert scene.tick(scene.interrupted("beside")).verdict is None
    assert wait_over(scene, "close").started == ["close"]
    assert scene.tick(scene.ok("close")).verdict == ("failed", "work", "boom")


def test_a_finalizer_whose_wait_is_over_in_the_tick_of_the_failure_runs_again():
    scene = closing()
    told = scene.tick(scene.fired(TimerKind.RETRY, "close"), scene.fail("work"))
    assert told.started == ["close"]


def test_a_finalizer_that_fails_in_a_run_that_stops_is_retried():
    scene = begun({"work": "", "close": "any:work retry:2"})
    scene.tick(scene.fail("work"))
    told = scene.tick(scene.flaw("close"))
    assert (told.verdict, scene.phase) == (None, RunPhase.STOPPING)
    assert wait_over(scene, "close").started == ["close"]
    assert scene.tick(scene.flaw("close")).verdict == ("failed", "work", "boom")


def test_a_cancel_from_outside_gives_up_the_retry_of_a_finalizer():
    scene = closing()
    scene.tick(scene.fail("work"), scene.interrupted("beside"))
    told = scene.tick(scene.outside("user left"))
    assert told.event("stage.close.cancelled").data["reason"] == "user left"
    assert told.verdict == ("failed", "work", "boom")


def test_a_late_finalizer_is_not_retried_in_a_run_that_a_stage_has_cancelled_meanwhile():
    graph = {"early": "", "work": "", "close": "any:early retry:3 covers:timeout"}
    scene = begun(graph, close=1.5)
    scene.tick(scene.ok("early"))
    scene.tick(scene.timer("close"))
    scene.tick(scene.cancel("work"))
    assert scene.tick(scene.interrupted("close")).verdict == ("cancelled", "work", "enough")
