"""Limits of time: of an attempt, of a stage, of a run, and of stopping."""

import pytest

from stageflow_actors.engine.commands import ArmTimer, DisarmTimer, KillStage
from stageflow_actors.engine.facts import TimerKind
from stageflow_actors.engine.state import RunPhase, StageState
from stageflow_actors.model.settings import Settings
from tests.engine.scene import Scene

TOO_LONG = "Stage timed out after 5000ms, all attempts together"
RUN_TOO_LONG = "Run timed out after 9000ms"


def begun(graph, settings=None, /, limit_s=None, **timeouts):
    scene = Scene(graph, settings, **timeouts)
    scene.begin(limit_s)
    return scene


def disarmed(told):
    return [command.timer for command in told.commands if isinstance(command, DisarmTimer)]


# --- one attempt ----------------------------------------------------------------------------------


def test_the_time_of_an_attempt_begins_anew_with_each():
    scene = begun({"a": "retry:3"}, a=2.0)
    for _ in range(2):
        scene.tick(scene.flaw("a"))
        told = scene.tick(scene.fired(TimerKind.RETRY, "a"))
        assert told.armed == {("attempt", "a"): 2.0}


# --- all attempts of a stage ----------------------------------------------------------------------


def test_the_total_time_of_a_stage_is_armed_with_its_first_attempt_alone():
    scene = Scene({"a": "retry:3 total:5"})
    assert scene.begin().armed == {("total", "a"): 5.0}
    assert disarmed(scene.tick(scene.flaw("a"))) == []
    assert scene.tick(scene.fired(TimerKind.RETRY, "a")).armed == {}
    assert disarmed(scene.tick(scene.ok("a"))) == [scene.timer_of(TimerKind.TOTAL, "a")]


def test_a_stage_that_runs_when_its_total_time_is_up_is_told_to_stop_with_the_run():
    scene = begun({"a": "retry:3 covers:timeout total:5", "b": ""})
    told = scene.tick(scene.fired(TimerKind.TOTAL, "a"))
    assert told.interrupted == {"a": TOO_LONG, "b": TOO_LONG}
    scene.tick(scene.interrupted("b"))
    assert scene.tick(scene.ok("a")).verdict == ("timed_out", "a", TOO_LONG)


def test_a_stage_that_waits_for_its_retry_when_its_total_time_is_up_has_timed_out():
    scene = begun({"a": "retry:3 covers:timeout total:5"})
    scene.tick(scene.flaw("a"))
    retry = scene.timer_of(TimerKind.RETRY, "a")
    told = scene.tick(scene.fired(TimerKind.TOTAL, "a"))
    assert retry in disarmed(told)
    assert scene.state("a") is StageState.TIMED_OUT
    assert told.events == ["stage.a.failed", "stage.error", "pipeline.failed"]
    assert told.event("stage.a.failed").attempt == 1
    assert told.verdict == ("timed_out", "a", TOO_LONG)


def test_a_stage_whose_total_time_is_up_while_it_stops_for_another_timeout_is_not_retried():
    graph = {"a": "tolerant retry:3 covers:timeout total:5 effects:none"}
    for end in (Scene.ok, Scene.lost):
        scene = begun(graph, a=2.0)
        scene.tick(scene.timer("a"))
        assert scene.tick(scene.fired(TimerKind.TOTAL, "a")) == []
        scene.tick(end(scene, "a"))
        assert scene.state("a") is StageState.TIMED_OUT


def test_both_limits_of_a_stage_in_one_tick_mean_the_same_in_either_order():
    for order in (1, -1):
        scene = begun({"a": "retry:3 covers:timeout total:5"}, a=2.0)
        facts = [scene.timer("a"), scene.fired(TimerKind.TOTAL, "a")]
        scene.tick(*facts[::order])
        told = scene.tick(scene.ok("a"))
        assert told.verdict == ("timed_out", "a", TOO_LONG)


@pytest.mark.parametrize("words", ["tolerant", "fallback"])
def test_a_run_survives_the_total_time_of_a_stage_as_it_does_any_failure(words):
    for prepare in ((), ("flaw",)):
        scene = begun({"a": f"retry:3 total:5 {words}"})
        for fact in prepare:
            scene.tick(getattr(scene, fact)("a"))
        scene.tick(scene.fired(TimerKind.TOTAL, "a"))
        if not prepare:
            scene.tick(scene.ok("a"))
        assert scene.commands[-1].status.value == "ok"


def test_a_total_time_that_is_up_while_the_run_stops_changes_nothing():
    scene = begun({"a": "total:5", "b": ""})
    scene.tick(scene.fail("b"))
    assert scene.tick(scene.fired(TimerKind.TOTAL, "a")) == []
    assert scene.late_facts == 1


# --- the run --------------------------------------------------------------------------------------


def test_a_run_with_a_limit_has_a_timer_until_it_ends():
    scene = Scene({"a": ""})
    assert scene.begin(limit_s=9.0).armed == {("run", ""): 9.0}
    told = scene.tick(scene.ok("a"))
    assert disarmed(told) == [scene.timer_of(TimerKind.RUN)]
    assert isinstance(told.commands[-3], DisarmTimer), "before the event of the end"


def test_a_run_without_a_limit_has_none():
    assert Scene({"a": ""}).begin().armed == {}


def test_a_run_that_has_used_up_its_time_stops_what_runs_and_what_waits():
    scene = begun({"a": "", "b": "retry:2", "c": "a"}, limit_s=9.0)
    scene.tick(scene.flaw("b"))
    told = scene.tick(scene.fired(TimerKind.RUN))
    assert told.interrupted == {"a": RUN_TOO_LONG}
    assert scene.state("b") is StageState.INTERRUPTED
    told = scene.tick(scene.ok("a"))
    assert told.verdict == ("timed_out", "<run>", RUN_TOO_LONG)
    assert told.event("pipeline.failed").data["deciding_stage"] == "<run>"


@pytest.mark.parametrize("limit_s", [0.0, -1.0])
def test_a_run_that_has_no_time_left_when_it_is_accepted_starts_nothing(limit_s):
    scene = Scene({"a": ""})
    told = scene.begin(limit_s)
    assert (told.started, told.verdict[:2]) == ([], ("timed_out", "<run>"))
    assert len(disarmed(told)) == 1


def test_the_limit_of_a_run_ranks_between_a_timeout_and_a_cancel():
    graph = {"a": "", "b": "", "c": ""}
    for more, decided in (
        ([], "<run>"),
        ([("cancel", "a")], "<run>"),
        ([("outside",)], "<run>"),
        ([("timer", "b")], "b"),
        ([("timer", "b"), ("fail", "c")], "c"),
    ):
        scene = begun(graph, limit_s=9.0, b=1.5)
        scene.tick(
            scene.fired(TimerKind.RUN), *(getattr(scene, what)(*stage) for what, *stage in more)
        )
        for name in graph:
            scene.tick(scene.interrupted(name))
        assert scene.commands[-1].stage == decided


def test_no_finalizer_runs_in_a_run_that_has_used_up_its_time():
    scene = begun({"work": "", "close": "any:work"}, limit_s=9.0)
    scene.tick(scene.fired(TimerKind.RUN))
    told = scene.tick(scene.ok("work"))
    assert (told.started, told.verdict[0]) == ([], "timed_out")


def test_no_finalizer_runs_where_the_time_was_up_in_the_tick_of_the_failure():
    scene = begun({"work": "", "early": "", "open": "any:early", "close": "any:work"}, limit_s=9.0)
    scene.tick(scene.ok("early"))
    told = scene.tick(scene.fail("work"), scene.fired(TimerKind.RUN))
    assert (told.started, told.interrupted) == ([], {"open": "boom"})
    assert scene.tick(scene.interrupted("open")).verdict == ("failed", "work", "boom")


def test_a_run_whose_time_is_up_while_it_stops_stops_its_finalizers_too():
    graph = {"work": "", "flush": "any:work", "beside": "any:work retry:2", "close": "any:flush"}
    scene = begun(graph, limit_s=9.0)
    scene.tick(scene.fail("work"))
    scene.tick(scene.flaw("beside"))
    told = scene.tick(scene.fired(TimerKind.RUN))
    assert told.interrupted == {"flush": RUN_TOO_LONG}
    assert told.event("stage.beside.cancelled").data["reason"] == RUN_TOO_LONG
    told = scene.tick(scene.interrupted("flush"))
    assert (told.started, told.verdict) == ([], ("failed", "work", "boom"))


# --- stopping -------------------------------------------------------------------------------------

SETTINGS = Settings(grace_s=0.5, stop_timeout_s=7.0)


@pytest.fixture
def stopping():
    """``a`` has failed, and ``b`` has been told to stop."""
    scene = begun({"a": "", "b": "", "c": "any:b"}, SETTINGS)
    assert scene.tick(scene.fail("a")).armed == {("stop", "b"): 0.5}
    return scene


def test_a_body_that_does_not_heed_its_stop_is_killed_and_its_end_is_waited_for(stopping):
    told = stopping.tick(stopping.fired(TimerKind.STOP, "b"))
    assert told == [KillStage(stopping.index("b"), 1)]
    assert stopping.state("b") is StageState.STOPPING
    told = stopping.tick(stopping.lost("b"))
    assert stopping.state("b") is StageState.INTERRUPTED
    assert told.started == ["c"]


def test_a_body_that_heeds_its_stop_in_time_is_not_killed(stopping):
    stop = stopping.fired(TimerKind.STOP, "b")
    assert disarmed(stopping.tick(stopping.interrupted("b"))) == [stop.timer]
    assert stopping.tick(stop) == []
    assert stopping.late_facts == 1


def test_a_body_that_has_heard_its_stop_has_time_for_its_cleanups(stopping):
    stop = stopping.timer_of(TimerKind.STOP, "b")
    cleanup = stopping.timer_of(TimerKind.CLEANUP, "b")
    assert stopping.tick(stopping.heard("b")) == [DisarmTimer(stop), ArmTimer(cleanup, 7.0)]
    assert stopping.tick(stopping.fired(TimerKind.CLEANUP, "b")).killed == ["b"]
    assert disarmed(stopping.tick(stopping.lost("b"))) == [cleanup]


def test_a_body_that_hears_its_stop_in_the_tick_of_its_timer_has_heard_it_in_time():
    for order in (1, -1):
        scene = begun({"a": "", "b": ""}, SETTINGS)
        scene.tick(scene.fail("a"))
        told = scene.tick(*[scene.heard("b"), scene.fired(TimerKind.STOP, "b")][::order])
        assert (told.killed, told.armed) == ([], {("cleanup", "b"): 7.0})


def test_a_body_is_killed_once_and_hears_nothing_after_that(stopping):
    stop = stopping.fired(TimerKind.STOP, "b")
    assert stopping.tick(stop).killed == ["b"]
    assert stopping.tick(stopping.heard("b"), stop) == []
    assert disarmed(stopping.tick(stopping.lost("b"))) == [stop.timer]


def test_a_body_has_time_for_its_cleanups_once(stopping):
    stopping.tick(stopping.heard("b"))
    assert stopping.tick(stopping.heard("b")) == []
    assert stopping.late_facts == 1


def test_a_body_that_was_not_told_to_stop_cannot_have_heard_it():
    scene = begun({"a": ""})
    assert scene.tick(scene.heard("a")) == []
    assert scene.tick(scene.fired(TimerKind.STOP, "a")) == []
    assert (scene.late_facts, scene.phase) == (2, RunPhase.RUNNING)


def test_a_late_body_is_killed_as_well_and_may_then_be_retried():
    scene = begun({"a": "retry:2 covers:timeout"}, SETTINGS, a=1.5)
    assert scene.tick(scene.timer("a")).armed == {("stop", "a"): 0.5}
    first_stop = scene.fired(TimerKind.STOP, "a")
    assert scene.tick(first_stop).killed == ["a"]
    assert first_stop.timer in disarmed(scene.tick(scene.lost("a")))
    scene.tick(scene.fired(TimerKind.RETRY, "a"))
    scene.tick(scene.timer("a"))
    assert scene.tick(first_stop).killed == [], "that was for the attempt before"


def test_a_late_body_is_not_told_a_second_time_when_the_run_stops():
    scene = begun({"a": "tolerant", "b": ""}, a=1.5)
    scene.tick(scene.timer("a"))
    assert scene.tick(scene.fail("b")).interrupted == {}
    assert scene.tick(scene.interrupted("a")).verdict == ("failed", "b", "boom")
