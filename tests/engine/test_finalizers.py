"""Stages that come after others however these end: what still runs once the run stops."""

import itertools

import pytest

from stageflow_actors.engine.commands import DisarmTimer
from stageflow_actors.engine.facts import Ending, TimerKind
from stageflow_actors.engine.state import RunPhase, StageState
from tests.engine.scene import Scene

WORK = {"work": "", "beside": "", "close": "any:work"}
TIMED_OUT = "Stage timed out after 1500ms"


def begun(graph=WORK, **timeouts):
    scene = Scene(graph, **timeouts)
    scene.begin()
    return scene


def stopped(graph, *failing):
    """A run that the failures of ``failing`` have stopped in one tick, and what that commanded."""
    scene = begun(graph)
    return scene, scene.tick(*(scene.fail(name) for name in failing))


# --- in a run that goes on ------------------------------------------------------------------------


@pytest.mark.parametrize("end", [Scene.ok, Scene.skip])
def test_finalizer_starts_when_the_last_stage_it_names_has_passed(end):
    scene = begun({"a": "", "b": "", "close": "any:a any:b"})
    assert scene.tick(end(scene, "a")).started == []
    assert scene.tick(end(scene, "b")).started == ["close"]


def test_run_completes_when_its_finalizer_has_passed():
    scene = begun({"a": "", "close": "any:a"})
    assert scene.tick(scene.ok("a")).verdict is None
    assert scene.tick(scene.ok("close")).verdict == ("ok", None, None)


def test_finalizer_that_fails_in_a_run_that_goes_on_fails_the_run():
    scene = begun({"a": "", "close": "any:a"})
    scene.tick(scene.ok("a"))
    assert scene.tick(scene.fail("close", "boom")).verdict == ("failed", "close", "boom")


# --- after a failure or a timeout -----------------------------------------------------------------


def test_finalizer_starts_in_the_tick_of_the_failure_it_waited_for():
    scene = begun(close=1.5)
    told = scene.tick(scene.fail("work"))
    assert told.events == ["stage.work.failed", "stage.error", "stage.close.started"]
    assert told.started == ["close"]
    assert told.interrupted == {"beside": "boom"}
    assert told.armed["attempt", "close"] == 1.5
    assert scene.phase is RunPhase.STOPPING


def test_finalizer_starts_after_a_timeout_once_the_late_body_has_ended():
    scene = begun(work=1.5)
    assert scene.tick(scene.timer("work")).started == []
    told = scene.tick(scene.ok("work"))
    assert told.events == ["stage.work.failed", "stage.error", "stage.close.started"]
    scene.tick(scene.interrupted("beside"))
    assert scene.tick(scene.ok("close")).verdict == ("timed_out", "work", TIMED_OUT)


@pytest.mark.parametrize("ending", list(Ending))
def test_finalizer_starts_however_the_stage_ends_that_it_waits_for(ending):
    scene, told = stopped(WORK, "beside")
    assert told.interrupted == {"work": "boom"}
    assert told.started == []
    assert scene.tick(scene.ended("work", ending)).started == ["close"]


def test_verdict_waits_for_the_finalizer_and_names_the_failure():
    scene, _told = stopped({"work": "", "close": "any:work"}, "work")
    told = scene.tick(scene.ok("close"))
    assert told.verdict == ("failed", "work", "boom")
    assert told.events == ["stage.close.completed", "pipeline.failed"]


def test_finalizer_starts_where_the_stage_it_waits_for_can_never_start():
    assert stopped({"a": "", "b": "a", "close": "any:b"}, "a")[1].started == ["close"]


def test_finalizer_waits_for_every_stage_it_names_that_is_live():
    scene, told = stopped({"a": "", "b": "", "c": "a", "close": "any:a any:b any:c"}, "a")
    assert told.started == []
    assert scene.tick(scene.interrupted("b")).started == ["close"]


def test_two_failures_of_one_tick_start_the_finalizer_of_both_once():
    scene, told = stopped({"a": "", "b": "", "close": "any:a any:b"}, "b", "a")
    assert told.started == ["close"]
    assert scene.tick(scene.ok("close")).verdict == ("failed", "a", "boom")


def test_finalizer_that_became_ready_in_the_tick_of_a_failure_starts():
    scene = begun()
    told = scene.tick(scene.ok("work"), scene.fail("beside"))
    assert told.started == ["close"]


def test_finalizer_that_runs_when_the_run_fails_is_not_told_to_stop():
    scene = begun({**WORK, "more": ""})
    scene.tick(scene.ok("work"))
    assert scene.tick(scene.fail("beside")).interrupted == {"more": "boom"}
    assert scene.state("close") is StageState.RUNNING
    assert scene.tick(scene.interrupted("more")).verdict is None
    assert scene.tick(scene.ok("close")).verdict == ("failed", "beside", "boom")


# --- what a finalizer also depends on -------------------------------------------------------------


@pytest.mark.parametrize("edge", ["", "after:"])
def test_finalizer_never_starts_where_a_stage_that_has_to_pass_before_it_does_not(edge):
    for graph in (
        {"a": "", "b": "", "close": f"{edge}a any:b"},  # it fails itself
        {"a": "", "b": "", "c": "a", "close": f"{edge}c any:b"},  # it can no longer start
    ):
        scene, _told = stopped(graph, "a")
        told = scene.tick(scene.interrupted("b"))
        assert (told.started, told.verdict) == ([], ("failed", "a", "boom"))
        assert scene.state("close") is StageState.WAITING


@pytest.mark.parametrize("edge", ["", "after:"])
@pytest.mark.parametrize(("end", "starts"), [("ok", True), ("skip", True), ("interrupted", False)])
def test_finalizer_waits_for_a_live_stage_that_has_to_pass_before_it(edge, end, starts):
    scene, told = stopped({"a": "", "b": "", "close": f"{edge}b any:a"}, "a")
    assert told.started == []
    told = scene.tick(getattr(scene, end)("b"))
    assert told.started == (["close"] if starts else [])


def test_finalizer_with_a_stage_before_it_that_has_passed_starts():
    scene = begun({"opened": "", "work": "opened", "close": "opened any:work"})
    scene.tick(scene.ok("opened"))
    assert scene.tick(scene.fail("work")).started == ["close"]


def test_dependents_of_a_finalizer_that_are_none_themselves_do_not_start():
    graph = {"work": "", "close": "any:work", "report": "close", "last": "any:report"}
    scene, told = stopped(graph, "work")
    assert told.started == ["close", "last"]  # report can never start, so last need not wait
    assert scene.tick(scene.ok("close")).started == []
    assert scene.tick(scene.ok("last")).verdict == ("failed", "work", "boom")
    assert scene.state("report") is StageState.WAITING


# --- chains of finalizers -------------------------------------------------------------------------

CHAIN = {"work": "", "flush": "any:work", "close": "any:flush", "audit": "any:work any:close"}


def test_finalizers_start_one_after_the_other_in_the_order_of_their_edges():
    scene, told = stopped(CHAIN, "work")
    order = []
    while told.verdict is None:
        order.append(told.started)
        told = scene.tick(scene.ok(told.started[0]))
    assert order == [["flush"], ["close"], ["audit"]]


@pytest.mark.parametrize("end", ["fail", "cancel", "interrupted", "skip"])
def test_finalizer_starts_however_the_finalizer_before_it_ends(end):
    scene, _told = stopped(CHAIN, "work")
    assert scene.tick(getattr(scene, end)("flush")).started == ["close"]


@pytest.mark.parametrize(("end", "starts"), [("ok", True), ("fail", False)])
def test_finalizer_that_depends_on_another_starts_only_where_that_has_passed(end, starts):
    graph = {"work": "", "flush": "any:work", "close": "flush any:work", "audit": "any:close"}
    scene, told = stopped(graph, "work")
    assert told.started == ["flush"]
    told = scene.tick(getattr(scene, end)("flush"))
    assert told.started == (["close"] if starts else ["audit"])


def test_finalizers_that_wait_for_one_stage_start_together_in_the_order_of_the_plan():
    scene, told = stopped({"work": "", "b": "any:work", "a": "any:work"}, "work")
    assert told.started == [name for name in scene.plan.stage_names if name in "ab"]


# --- a finalizer that goes wrong ------------------------------------------------------------------


def test_finalizer_that_fails_does_not_change_the_verdict():
    scene, _told = stopped({"work": "", "close": "any:work"}, "work")
    told = scene.tick(scene.fail("close", "worse"))
    assert told.events == ["stage.close.failed", "stage.error", "pipeline.failed"]
    assert told.verdict == ("failed", "work", "boom")


def test_finalizer_that_times_out_is_told_to_stop_and_does_not_change_the_verdict():
    scene = begun({"work": "", "close": "any:work"}, close=1.5)
    scene.tick(scene.fail("work"))
    assert scene.tick(scene.timer("close")).interrupted == {"close": TIMED_OUT}
    told = scene.tick(scene.interrupted("close"))
    assert scene.state("close") is StageState.TIMED_OUT
    for kind in (TimerKind.ATTEMPT, TimerKind.STOP):
        assert told.commands.count(DisarmTimer(scene.timer_of(kind, "close"))) == 1
    assert told.verdict == ("failed", "work", "boom")


@pytest.mark.parametrize("end", ["cancel", "interrupted"])
def test_finalizer_that_asks_to_stop_a_run_that_stops_does_not_change_the_verdict(end):
    scene, _told = stopped({"work": "", "close": "any:work"}, "work")
    assert scene.tick(getattr(scene, end)("close")).verdict == ("failed", "work", "boom")


# --- a cancel -------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["cancel", "interrupted"])
def test_no_finalizer_starts_in_a_run_that_one_of_its_stages_cancelled(end):
    scene = begun({"work": "", "close": "any:work"})
    told = scene.tick(getattr(scene, end)("work"))
    assert (told.started, told.verdict[:2]) == ([], ("cancelled", "work"))


def test_no_finalizer_starts_in_a_run_that_was_cancelled_from_outside():
    scene = begun()
    scene.tick(scene.outside())
    scene.tick(scene.interrupted("beside"))
    told = scene.tick(scene.fail("work"))
    assert (told.started, told.verdict) == ([], ("cancelled", "<external>", "user left"))


def test_finalizer_that_runs_when_the_run_is_cancelled_is_told_to_stop():
    for stop in (Scene.outside, lambda scene: scene.cancel("beside", "user left")):
        scene = begun()
        scene.tick(scene.ok("work"))
        assert scene.tick(stop(scene)).interrupted["close"] == "user left"


def test_no_finalizer_starts_where_a_cancel_from_outside_came_in_the_tick_of_the_failure():
    for order in itertools.permutations(range(3)):
        scene = begun({**WORK, "early": "", "open": "any:early"})
        scene.tick(scene.ok("early"))
        facts = [scene.fail("work"), scene.outside(), scene.ok("beside")]
        told = scene.tick(*(facts[index] for index in order))
        assert (told.started, told.interrupted) == ([], {"open": "boom"})
        assert scene.tick(scene.interrupted("open")).verdict == ("failed", "work", "boom")


def test_failure_outranks_the_cancel_of_a_stage_in_the_same_tick_and_finalizers_start():
    scene = begun()
    told = scene.tick(scene.cancel("beside"), scene.fail("work"))
    assert told.started == ["close"]


def test_cancel_from_outside_stops_the_finalizers_that_run_and_keeps_the_others_from_starting():
    scene, _told = stopped(CHAIN, "work")
    assert scene.tick(scene.outside("user left")).interrupted == {"flush": "user left"}
    told = scene.tick(scene.interrupted("flush"))
    assert (told.started, told.verdict) == ([], ("failed", "work", "boom"))
    assert scene.state("close") is scene.state("audit") is StageState.WAITING


def test_cancel_from_outside_keeps_a_finalizer_from_starting_in_the_tick_it_became_ready():
    for order in (1, -1):
        scene, _told = stopped(WORK, "beside")
        told = scene.tick(*[scene.interrupted("work"), scene.outside()][::order])
        assert (told.started, told.verdict) == ([], ("failed", "beside", "boom"))


def test_stage_that_answers_its_stop_with_a_cancel_keeps_no_finalizer_from_starting():
    scene, _told = stopped(WORK, "beside")
    assert scene.tick(scene.cancel("work")).started == ["close"]


# --- finalizers that are skipped ------------------------------------------------------------------


def test_finalizer_off_its_route_is_skipped_and_the_run_ends():
    graph = {"router": "", "work": "", "close": "router route:left any:work"}
    scene = begun(graph)
    scene.tick(scene.ok("router", route="right"))
    told = scene.tick(scene.fail("work"))
    assert told.skipped == {"close": "'router' took route 'right'"}
    assert told.events == [
        "stage.work.failed",
        "stage.error",
        "stage.close.skipped",
        "pipeline.failed",
    ]


def test_finalizer_on_its_route_starts():
    scene = begun({"router": "", "work": "", "close": "router route:left any:work"})
    scene.tick(scene.ok("router", route="left"))
    assert scene.tick(scene.fail("work")).started == ["close"]


def test_conditional_finalizer_is_skipped_and_those_behind_it_go_on_at_once():
    graph = {
        "idle": "",
        "work": "",
        "flush": "idle any:work conditional",
        "also": "flush any:work conditional",
        "close": "flush any:work",
        "audit": "any:also",
    }
    scene = begun(graph)
    scene.tick(scene.skip("idle"))
    told = scene.tick(scene.fail("work"))
    assert told.skipped == {"flush": "no work", "also": "no work"}
    assert told.started == ["close", "audit"]


def test_finalizer_after_an_unselected_stage_waits_for_no_more():
    graph = {"router": "", "left": "router route:left", "work": "", "close": "any:left any:work"}
    scene = begun(graph)
    scene.tick(scene.ok("router", route="right"))
    assert scene.tick(scene.fail("work")).started == ["close"]
