"""A run that ends early: who is told what, what still starts, and when the verdict comes."""

import pytest

from stageflow_actors.engine.commands import DisarmTimer
from stageflow_actors.engine.facts import Ending, TimerKind
from stageflow_actors.engine.state import RunPhase, StageState
from tests.engine.scene import Scene

WIDE = {"a": "", "b": "", "c": "", "after_a": "a", "after_b": "b"}


@pytest.fixture
def scene():
    """a, b and c run; a and b have a dependent each; b has a timeout of 1.5 seconds."""
    scene = Scene(WIDE, b=1.5)
    scene.begin()
    return scene


def play_out(scene):
    """End every live body as told; the verdict."""
    told = None
    for name in scene.plan.stage_names:
        if scene.state(name).is_live:
            assert told is None or told.verdict is None, "the verdict did not wait for every body"
            told = scene.tick(scene.interrupted(name))
    return told.verdict


# --- failure --------------------------------------------------------------------------------------


def test_a_failure_interrupts_every_live_stage_with_its_reason(scene):
    told = scene.tick(scene.fail("a", "boom"))
    assert told.interrupted == {"b": "boom", "c": "boom"}
    assert told.armed == {("stop", "b"): 0.25, ("stop", "c"): 0.25}
    assert told.events == ["stage.a.failed", "stage.error"]
    assert scene.phase is RunPhase.STOPPING


def test_the_verdict_of_a_failure_waits_for_every_live_body(scene):
    assert scene.tick(scene.fail("a", "boom")).verdict is None
    assert scene.tick(scene.interrupted("c")).verdict is None
    assert scene.tick(scene.interrupted("b")).verdict == ("failed", "a", "boom")


def test_a_failure_of_the_only_live_stage_is_the_verdict_at_once():
    scene = Scene({"a": "", "b": "a"})
    scene.begin()
    told = scene.tick(scene.fail("a", "boom"))
    assert told.verdict == ("failed", "a", "boom")
    assert told.interrupted == {}
    assert scene.state("b") is StageState.WAITING


def test_the_event_of_a_failed_run_names_who_and_why():
    scene = Scene({"a": ""})
    scene.begin()
    event = scene.tick(scene.fail("a", "boom")).event("pipeline.failed")
    assert event.data == {
        "status": "failed",
        "duration_ms": 1000,
        "deciding_stage": "a",
        "reason": "boom",
    }


# --- timeout --------------------------------------------------------------------------------------


def test_a_timeout_interrupts_the_late_stage_and_every_other_once(scene):
    told = scene.tick(scene.timer("b"))
    text = "Stage timed out after 1500ms"
    assert told.interrupted == {"b": text, "a": text, "c": text}
    assert scene.state("b") is StageState.TIMING_OUT
    assert play_out(scene) == ("timed_out", "b", text)
    assert scene.state("b") is StageState.TIMED_OUT


@pytest.mark.parametrize("ending", list(Ending))
def test_whatever_a_stage_says_after_its_timeout_it_has_timed_out(scene, ending):
    scene.tick(scene.timer("b"))
    told = scene.tick(scene.ended("b", ending, "too late", duration_ms=1700))
    assert scene.state("b") is StageState.TIMED_OUT
    assert scene.state("after_b") is StageState.WAITING
    assert told.events == ["stage.b.failed", "stage.error"]
    assert told.event("stage.b.failed").data == {
        "status": "timed_out",
        "duration_ms": 1700,
        "error": "Stage timed out after 1500ms",
        "error_type": "StageTimeoutError",
        "code": "STAGE-TIMEOUT",
    }
    assert play_out(scene) == ("timed_out", "b", "Stage timed out after 1500ms")


def test_the_timer_of_a_stage_is_disarmed_however_it_ends(scene):
    scene.tick(scene.fail("a"))
    told = scene.tick(scene.interrupted("b"))
    assert [c for c in told.commands if isinstance(c, DisarmTimer)] == [
        DisarmTimer(scene.timer_of(TimerKind.ATTEMPT, "b")),
        DisarmTimer(scene.timer_of(TimerKind.STOP, "b")),
    ]


def test_a_stage_that_ends_in_the_tick_of_its_timer_was_in_time(scene):
    told = scene.tick(scene.timer("b"), scene.ok("b"))
    assert scene.state("b") is StageState.OK
    assert told.started == ["after_b"]
    assert told.interrupted == {}


def test_a_timer_that_fires_while_the_run_stops_changes_nothing(scene):
    scene.tick(scene.fail("a", "boom"))
    assert scene.tick(scene.timer("b")) == []
    assert scene.state("b") is StageState.STOPPING
    assert play_out(scene) == ("failed", "a", "boom")


# --- cancel by a stage ----------------------------------------------------------------------------


def test_a_stage_that_cancels_stops_the_run_and_is_named(scene):
    told = scene.tick(scene.cancel("b", "enough"))
    assert told.interrupted == {"a": "enough", "c": "enough"}
    assert told.events == ["stage.b.cancelled"]
    assert scene.state("b") is StageState.CANCELLED
    assert play_out(scene) == ("cancelled", "b", "enough")


def test_a_second_stage_that_cancels_later_is_not_named(scene):
    scene.tick(scene.cancel("b", "enough"))
    scene.tick(scene.cancel("a", "me too"))
    assert play_out(scene) == ("cancelled", "b", "enough")


def test_a_stage_that_stops_though_nobody_told_it_to_stops_the_run_and_is_named(scene):
    told = scene.tick(scene.ended("b", Ending.INTERRUPTED, "its own idea"))
    assert told.interrupted == {"a": "its own idea", "c": "its own idea"}
    assert play_out(scene) == ("cancelled", "b", "its own idea")


# --- cancel from outside --------------------------------------------------------------------------


def test_a_cancel_from_outside_interrupts_every_live_stage_at_once(scene):
    told = scene.tick(scene.outside("user left"))
    assert told.interrupted == {"a": "user left", "b": "user left", "c": "user left"}
    assert play_out(scene) == ("cancelled", "<external>", "user left")


def test_a_cancel_before_the_start_starts_nothing():
    scene = Scene(WIDE)
    told = scene.tick(scene.accepted(), scene.outside("user left"))
    assert told.started == []
    assert told.verdict == ("cancelled", "<external>", "user left")
    assert told.events == ["pipeline.created", "pipeline.cancelled"]
    assert set(scene.machine.state.stages) == {StageState.WAITING}


def test_a_cancel_in_the_tick_of_the_last_completion_cancels_the_run():
    for order in (0, 1):
        scene = Scene({"a": ""})
        scene.begin()
        facts = [scene.ok("a"), scene.outside("user left")]
        told = scene.tick(*(facts if order else reversed(facts)))
        assert told.verdict == ("cancelled", "<external>", "user left")
        assert scene.state("a") is StageState.OK


def test_a_cancel_during_the_last_stage_interrupts_it():
    scene = Scene({"a": "", "b": "a"})
    scene.begin()
    scene.tick(scene.ok("a"))
    assert scene.tick(scene.outside("user left")).interrupted == {"b": "user left"}
    told = scene.tick(scene.interrupted("b"))
    assert told.verdict == ("cancelled", "<external>", "user left")
    assert told.event("pipeline.cancelled").data["deciding_stage"] == "<external>"


def test_the_first_reason_from_outside_stays(scene):
    scene.tick(scene.outside("first"))
    assert scene.tick(scene.outside("second")) == []
    assert play_out(scene) == ("cancelled", "<external>", "first")


def test_a_stage_that_answers_a_cancel_from_outside_is_named_with_the_outside_reason(scene):
    scene.tick(scene.outside("user left"))
    scene.tick(scene.interrupted("a"))
    scene.tick(scene.cancel("c", "as you wish"))
    scene.tick(scene.cancel("b", "me too"))
    assert scene.phase is RunPhase.ENDED
    end = scene.commands[-1]
    assert (end.stage, end.reason) == ("c", "user left")
    assert scene.state("c") is StageState.CANCELLED


def test_a_stage_that_cancels_while_a_failure_stops_the_run_is_not_named(scene):
    scene.tick(scene.fail("a", "boom"))
    scene.tick(scene.cancel("b", "enough"))
    assert play_out(scene) == ("failed", "a", "boom")


# --- while stopping -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ending", "state", "word"),
    [(Ending.OK, StageState.OK, "completed"), (Ending.SKIP, StageState.SKIPPED, "skipped")],
)
def test_a_stage_that_finishes_while_the_run_stops_has_finished(scene, ending, state, word):
    scene.tick(scene.fail("a", "boom"))
    told = scene.tick(scene.ended("b", ending))
    assert scene.state("b") is state
    assert told.events == [f"stage.b.{word}"]
    assert play_out(scene) == ("failed", "a", "boom")


def test_nothing_starts_once_the_run_stops(scene):
    scene.tick(scene.fail("c"))
    assert scene.tick(scene.ok("a")).started == []
    assert scene.tick(scene.skip("b")).started == []
    assert scene.phase is RunPhase.ENDED
    assert scene.state("after_a") is scene.state("after_b") is StageState.WAITING


def test_nothing_starts_in_the_tick_that_stops_the_run(scene):
    for facts in ([scene.ok("a"), scene.fail("c")], [scene.ok("b"), scene.outside()]):
        fresh = Scene(WIDE)
        fresh.begin()
        assert fresh.tick(*facts).started == []


def test_a_second_failure_while_stopping_is_recorded_but_not_named(scene):
    scene.tick(scene.fail("b", "first"))
    told = scene.tick(scene.fail("a", "second"))
    assert told.events == ["stage.a.failed", "stage.error"]
    assert scene.state("a") is StageState.FAILED
    assert play_out(scene) == ("failed", "b", "first")


def test_a_failure_while_a_cancel_stops_the_run_does_not_change_the_verdict(scene):
    scene.tick(scene.outside("user left"))
    scene.tick(scene.fail("a", "boom"))
    assert play_out(scene) == ("cancelled", "<external>", "user left")


def test_a_stage_that_stops_as_told_was_interrupted(scene):
    scene.tick(scene.fail("a"))
    told = scene.tick(scene.interrupted("b"))
    assert scene.state("b") is StageState.INTERRUPTED
    assert told.events == ["stage.b.cancelled"]


def test_facts_after_the_verdict_change_nothing(scene):
    scene.tick(scene.fail("a"), scene.ok("b"), scene.ok("c"))
    assert scene.phase is RunPhase.ENDED
    before = list(scene.machine.state.stages)
    late = [scene.ok("b"), scene.fail("after_a"), scene.timer("b"), scene.outside()]
    assert scene.tick(*late) == []
    assert scene.machine.state.stages == before
    assert scene.late_facts == len(late)


def test_events_of_stages_that_never_started_do_not_exist(scene):
    scene.tick(scene.fail("a"))
    play_out(scene)
    assert not [c for c in scene.commands if "after_" in getattr(c, "type", "")]
