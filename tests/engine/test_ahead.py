"""What a process does ahead of its run: the run catches up; where it stops, so does that."""

from __future__ import annotations

import pytest

from stageflow_actors.engine.commands import InterruptStage, StartStage
from stageflow_actors.engine.facts import TimerKind
from stageflow_actors.engine.state import RunPhase, StageState
from stageflow_actors.model.settings import Settings
from tests.engine.scene import Scene

CHAIN = {"a": "", "b": "a", "c": "b"}
BESIDE = {**CHAIN, "x": ""}


def went_ahead(scene, stage, *ahead):
    """``stage`` has ended ok, and its process has begun what follows."""
    fact = scene.ok(stage)
    fact.ahead = tuple(scene.index(each) for each in ahead)
    return fact


def begun(graph, **timeouts):
    scene = Scene(graph, **timeouts)
    scene.begin()
    return scene


def commands_about(told, scene, stage):
    """Of one stage, what was started and stopped."""
    index = scene.index(stage)
    kinds = (StartStage, InterruptStage)
    return [type(c) for c in told.commands if isinstance(c, kinds) and c.stage == index]


def test_in_a_run_that_goes_on_it_is_started_once_as_ever():
    ahead, ever = begun(CHAIN, b=2.0), begun(CHAIN, b=2.0)
    for stage, *after in (("a", "b"), ("b", "c"), ("c",)):
        assert ahead.tick(went_ahead(ahead, stage, *after)) == ever.tick(ever.ok(stage)).commands
    assert ahead.phase is RunPhase.ENDED


def test_all_that_were_begun_after_one_are_started():
    scene = begun({"a": "", "b": "a", "c": "a", "d": "b c"})
    assert scene.tick(went_ahead(scene, "a", "b", "c")).started == ["b", "c"]
    assert scene.tick(scene.ok("b")).started == []
    assert scene.tick(went_ahead(scene, "c", "d")).started == ["d"]


STOPS = {
    "a cancel from outside": lambda scene: scene.outside(),
    "the failure of another stage": lambda scene: scene.fail("x"),
    "a stage that asks to stop": lambda scene: scene.cancel("x"),
    "the deadline": lambda scene: scene.fired(TimerKind.RUN),
    "the supervisor": lambda scene: scene.escalated(),
}


@pytest.mark.parametrize("is_same_tick", [True, False], ids=["with it", "before"])
@pytest.mark.parametrize("stop", STOPS.values(), ids=STOPS)
def test_in_a_run_that_stops_it_is_started_and_told_to_stop_and_waited_for(stop, is_same_tick):
    scene = Scene(BESIDE)
    scene.begin(limit_s=9.0)
    facts = [stop(scene)]
    if not is_same_tick:
        scene.tick(*facts)
        facts = []
    told = scene.tick(*facts, went_ahead(scene, "a", "b"))
    assert commands_about(told, scene, "b") == [StartStage, InterruptStage]
    assert told.interrupted["b"] == scene.machine.state.cause.reason
    assert told.armed["stop", "b"] == Settings().grace_s
    assert "stage.b.started" in told.events
    assert scene.state("a") is StageState.OK

    for other in ("a", "x"):
        if scene.state(other).is_live:
            assert scene.tick(scene.interrupted(other)).verdict is None
    told = scene.tick(scene.interrupted("b"))
    assert told.verdict is not None
    assert scene.state("b") is StageState.INTERRUPTED
    assert scene.state("c") is StageState.WAITING


def test_what_it_says_then_counts_and_so_does_what_was_begun_after_it():
    scene = begun(CHAIN)
    scene.tick(scene.outside("enough"), went_ahead(scene, "a", "b"))
    told = scene.tick(went_ahead(scene, "b", "c"))
    assert (scene.state("b"), told.verdict) == (StageState.OK, None)
    assert commands_about(told, scene, "c") == [StartStage, InterruptStage]
    assert scene.tick(scene.ok("c")).verdict == ("cancelled", "<external>", "enough")
    assert scene.state("c") is StageState.OK


def test_one_that_does_not_stop_is_killed_as_any_other():
    scene = begun(CHAIN)
    scene.tick(scene.outside(), went_ahead(scene, "a", "b"))
    assert scene.tick(scene.fired(TimerKind.STOP, "b")).killed == ["b"]
    assert scene.tick(scene.lost("b")).verdict == ("cancelled", "<external>", "user left")


def test_it_is_waited_for_though_nothing_else_is_live():
    """Its start comes in the tick in which the run would have ended."""
    scene = begun(CHAIN)
    scene.tick(scene.outside())
    assert scene.tick(went_ahead(scene, "a", "b")).verdict is None


def test_a_stage_that_others_went_on_from_was_in_time():
    scene = begun({"a": "retry:3 covers:timeout", "b": "a"}, a=1.0)
    assert scene.tick(scene.timer("a")).interrupted.keys() == {"a"}
    assert scene.state("a") is StageState.TIMING_OUT
    told = scene.tick(went_ahead(scene, "a", "b"))
    assert scene.state("a") is StageState.OK
    assert told.started == ["b"]
    assert told.interrupted == {}
    assert scene.tick(scene.ok("b")).verdict == ("ok", None, None)


def test_a_run_that_stops_for_a_timeout_keeps_what_went_on_nevertheless():
    scene = begun(CHAIN, a=1.0)
    scene.tick(scene.timer("a"))
    assert scene.phase is RunPhase.STOPPING
    told = scene.tick(went_ahead(scene, "a", "b"))
    assert scene.state("a") is StageState.OK
    assert "stage.a.completed" in told.events
    assert commands_about(told, scene, "b") == [StartStage, InterruptStage]
    assert scene.tick(scene.interrupted("b")).verdict[:2] == ("timed_out", "a")
    assert not scene.machine.state.notes.doomed


def test_what_a_late_end_says_of_others_counts_for_nothing():
    scene = begun(CHAIN)
    fact = went_ahead(scene, "a", "b")
    scene.tick(scene.ok("a"))
    scene.tick(scene.ok("b"))
    assert scene.tick(fact) == []
    assert scene.late_facts == 1
