"""A guard and the rest of its run: who waits for it, other guards, the end."""

import pytest

from stageflow_actors.engine.commands import DisarmTimer, StartStage
from stageflow_actors.engine.facts import TimerKind
from stageflow_actors.engine.state import RunPhase, StageState
from stageflow_actors.model.settings import Settings
from tests.engine.guarding import PAIR, begun, rejected

# --- who waits ------------------------------------------------------------------------------------


@pytest.mark.parametrize("edge", ["", "opt:", "after:", "any:"])
def test_others_that_wait_for_the_producer_are_held_until_the_guard_lets_pass(edge):
    scene = begun({**PAIR, "other": f"{edge}make"})
    rejected(scene, "x", "y")
    assert scene.tick(scene.ok("make")).started == ["check"]
    assert scene.state("other") is StageState.WAITING
    assert scene.tick(scene.ok("check")).started == ["other"]


def test_others_that_wait_for_a_stage_between_are_held_as_well():
    graph = {"make": "", "mid": "make", "check": "mid guard:make", "other": "mid"}
    scene = begun(graph)
    scene.tick(scene.ok("make"))
    rejected(scene, "x", make="mid")
    scene.tick(scene.ok("make"))
    assert scene.tick(scene.ok("mid")).started == ["check"]
    assert scene.tick(scene.ok("check")).started == ["other"]


def test_others_require_the_guard():
    graph = {"make": "", "check": "make guard:make rejects:1 tolerant", "other": "make"}
    scene = begun({**graph, "close": "any:make"})
    told = rejected(scene, "x")
    assert told.skipped == {"other": "'check' failed: poor"}
    assert told.started == ["close"]


def test_the_rest_of_the_run_goes_on_meanwhile():
    scene = begun({**PAIR, "beside": "", "below": "beside"})
    rejected(scene, "x")
    assert scene.tick(scene.ok("beside")).started == ["below"]


# --- two guards -----------------------------------------------------------------------------------

TWO = {
    "make": "",
    "first": "make guard:make rejects:2",
    "second": "make guard:make rejects:9 stagnant:9",
}


def test_the_second_guard_of_a_producer_runs_after_the_first_and_has_both_run_again():
    scene = begun(TWO)
    assert scene.tick(scene.ok("make")).started == ["first"]
    assert scene.tick(scene.ok("first")).started == ["second"]
    told = scene.tick(scene.reject("second"))
    make, second = scene.index("make"), scene.index("second")
    assert StartStage(make, 2, feedback=(second, 1)) in told.commands
    assert scene.tick(scene.ok("make")).started == ["first"]


def test_the_second_guard_is_held_while_the_first_rejects():
    scene = begun(TWO)
    rejected(scene, "x", guard="first")
    assert scene.tick(scene.ok("make")).started == ["first"]
    assert scene.tick(scene.ok("first")).started == ["second"]


def test_a_guard_that_has_let_pass_has_all_its_chances_again_when_another_rejects():
    scene = begun(TWO)
    for _ in range(3):
        rejected(scene, "x", guard="first")
        scene.tick(scene.ok("make"))
        scene.tick(scene.ok("first"))
        assert scene.tick(scene.reject("second")).started == ["make"]


def test_feedback_is_of_the_guard_that_rejected_last():
    graph = {
        "draft": "",
        "make": "draft",
        "inner": "make guard:make",
        "outer": "inner guard:draft",
    }
    scene = begun(graph)
    scene.tick(scene.ok("draft"))
    rejected(scene, "x", guard="inner")
    scene.tick(scene.ok("make"))
    scene.tick(scene.ok("inner"))
    scene.tick(scene.reject("outer"))
    told = scene.tick(scene.ok("draft"))
    assert StartStage(scene.index("make"), 3, feedback=None) in told.commands


# --- the end of the run ---------------------------------------------------------------------------


@pytest.mark.parametrize("stop", [lambda s: s.fail("b"), lambda s: s.outside()])
def test_nothing_runs_again_in_a_run_that_stops_and_no_timer_is_left(stop):
    graph = {"make": "", "check": "make guard:make rejects:9 within:3", "b": ""}
    scene = begun(graph)
    rejected(scene, "x")
    scene.tick(stop(scene))
    told = scene.tick(scene.ok("make"), scene.interrupted("b"))
    assert (told.started, scene.phase) == ([], RunPhase.ENDED)
    assert DisarmTimer(scene.timer_of(TimerKind.GUARD, "check")) in told.commands


def test_a_guard_that_rejects_in_the_tick_that_stops_the_run_starts_nothing():
    scene = begun({**PAIR, "b": ""})
    scene.tick(scene.ok("make"))
    told = scene.tick(scene.reject("check"), scene.fail("b"))
    assert (told.started, told.verdict) == ([], ("failed", "b", "boom"))


def test_a_guard_that_was_told_to_stop_rejects_nothing():
    scene = begun({**PAIR, "b": ""})
    scene.tick(scene.ok("make"))
    scene.tick(scene.fail("b"))
    told = scene.tick(scene.reject("check"))
    assert told.events == ["stage.check.failed", "stage.error", "pipeline.failed"]


@pytest.mark.parametrize("rounds", [1, 2])
def test_the_timer_of_a_guard_is_disarmed_once_when_it_has_ended_for_good(rounds):
    scene = begun({"make": "", "check": f"make guard:make rejects:{rounds} within:3"})
    rejected(scene, *map(str, range(rounds)))
    timer = scene.timer_of(TimerKind.GUARD, "check")
    assert scene.commands.count(DisarmTimer(timer)) == 1


def test_the_timer_of_a_guard_that_is_skipped_in_its_next_round_is_disarmed():
    graph = {"make": "", "check": "make conditional guard:make within:3", "b": ""}
    scene = begun(graph)
    rejected(scene, "x")
    told = scene.tick(scene.ok("make", skip_reason="silence"))
    assert told.skipped == {"check": "silence"}
    assert DisarmTimer(scene.timer_of(TimerKind.GUARD, "check")) in told.commands


def test_a_guard_with_a_policy_is_retried_first_and_its_rejection_is_no_retry():
    scene = begun({"make": "", "check": "make guard:make retry:2"}, Settings(max_retries_per_run=1))
    scene.tick(scene.ok("make"))
    assert scene.tick(scene.flaw("check")).events == ["stage.retry_scheduled", "stage.error"]
    scene.tick(scene.fired(TimerKind.RETRY, "check"))
    assert scene.tick(scene.reject("check")).started == ["make"]
