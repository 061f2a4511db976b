"""A guard that rejects has its producer, and all between the two, run again."""

import pytest

from stageflow_actors.engine.commands import DisarmTimer, ForgetStage, StartStage
from stageflow_actors.engine.facts import Ending, TimerKind
from stageflow_actors.engine.state import StageState
from stageflow_actors.model.settings import Settings
from tests.engine.guarding import PAIR, begun, rejected

# --- one round ------------------------------------------------------------------------------------


def test_a_rejection_has_the_producer_run_again_with_the_next_number_and_the_feedback():
    scene = begun()
    told = rejected(scene, "x")
    make, check = scene.index("make"), scene.index("check")
    starts = [command for command in told.commands if isinstance(command, StartStage)]
    assert starts == [StartStage(make, 2, feedback=(check, 1))]
    assert told.verdict is None


def test_the_guard_runs_again_after_the_producer_with_the_next_number():
    scene = begun()
    rejected(scene, "x")
    assert scene.state("check") is StageState.WAITING
    told = scene.tick(scene.ok("make"))
    assert StartStage(scene.index("check"), 2) in told.commands


def test_outputs_that_were_rejected_are_forgotten_before_the_producer_starts():
    scene = begun()
    told = rejected(scene, "x")
    kinds = [type(command) for command in told.commands]
    forgotten = [c.stage for c in told.commands if isinstance(c, ForgetStage)]
    assert forgotten == [scene.index("make"), scene.index("check")]
    assert kinds.index(StartStage) > max(n for n, kind in enumerate(kinds) if kind is ForgetStage)


def test_a_run_completes_once_the_guard_lets_pass():
    scene = begun({**PAIR, "use": "check"})
    rejected(scene, "x", "y")
    scene.tick(scene.ok("make"))
    told = scene.tick(scene.ok("check"))
    assert told.started == ["use"]
    assert scene.tick(scene.ok("use")).verdict == ("ok", None, None)


def test_a_guard_that_never_rejects_is_a_stage_like_any_other():
    scene = begun()
    scene.tick(scene.ok("make"))
    assert scene.tick(scene.ok("check")).events == ["stage.check.completed", "pipeline.completed"]


def test_everything_between_producer_and_guard_runs_again_in_order_and_nothing_above():
    graph = {
        "above": "",
        "make": "above",
        "left": "make",
        "right": "make",
        "check": "left right guard:make",
    }
    scene = begun(graph)
    scene.tick(scene.ok("above"))
    scene.tick(scene.ok("make"))
    scene.tick(scene.ok("left"), scene.ok("right"))
    assert scene.tick(scene.reject("check")).started == ["make"]
    assert scene.tick(scene.ok("make")).started == ["left", "right"]
    assert scene.tick(scene.ok("left")).started == []
    assert scene.tick(scene.ok("right")).started == ["check"]
    attempts = scene.machine.state.attempts
    assert dict(zip(scene.plan.stage_names, attempts, strict=True)) == {
        "above": 1,
        "make": 2,
        "left": 2,
        "right": 2,
        "check": 2,
    }


def test_routes_and_skips_inside_of_the_region_are_decided_anew():
    graph = {
        "make": "",
        "left": "make route:left",
        "right": "make route:right",
        "idle": "make conditional",
        "check": "left right idle guard:make",
    }
    scene = begun(graph)
    told = scene.tick(scene.ok("make", route="left", skip_reason="silence"))
    assert told.skipped == {"right": "'make' took route 'left'", "idle": "silence"}
    scene.tick(scene.ok("left"))
    scene.tick(scene.reject("check"))
    told = scene.tick(scene.ok("make", route="right"))
    assert (told.started, told.skipped) == (
        ["right", "idle"],
        {"left": "'make' took route 'right'"},
    )


def test_failures_and_retries_inside_of_the_region_count_anew():
    graph = {
        "make": "retry:2",
        "mid": "make tolerant",
        "check": "opt:mid guard:make rejects:9",
    }
    scene = begun(graph)
    scene.tick(scene.flaw("make"))
    scene.tick(scene.fired(TimerKind.RETRY, "make"))
    scene.tick(scene.ok("make"))
    scene.tick(scene.fail("mid"))
    scene.tick(scene.reject("check"))
    assert scene.tick(scene.flaw("make")).events == ["stage.retry_scheduled", "stage.error"]
    scene.tick(scene.fired(TimerKind.RETRY, "make"))
    assert scene.tick(scene.ok("make")).started == ["mid"]
    assert scene.tick(scene.ok("mid")).started == ["check"]


def test_a_retry_of_the_producer_has_the_same_feedback():
    scene = begun({"make": "retry:2", "check": "make guard:make"})
    rejected(scene, "x")
    scene.tick(scene.flaw("make"))
    told = scene.tick(scene.fired(TimerKind.RETRY, "make"))
    assert StartStage(scene.index("make"), 3, feedback=(scene.index("check"), 1)) in told.commands


def test_total_times_in_the_region_begin_anew():
    graph = {"make": "total:5", "check": "make total:6 guard:make"}
    scene = begun(graph)
    scene.tick(scene.ok("make"))
    told = scene.tick(scene.reject("check"))
    assert DisarmTimer(scene.timer_of(TimerKind.TOTAL, "check")) in told.commands
    assert told.armed == {("total", "make"): 5.0}
    assert scene.tick(scene.ok("make")).armed == {("total", "check"): 6.0}


# --- how often ------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [1, 2, 4])
def test_max_attempts_is_how_often_the_producer_runs(most):
    scene = begun({"make": "", "check": f"make guard:make rejects:{most} stagnant:9"})
    told = rejected(scene, *map(str, range(most)))
    assert scene.attempt("make") == most
    assert told.verdict == ("failed", "check", "poor")
    assert told.event("guard_retry.exhausted").data["reason"] == "max_attempts"


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_a_stagnation_limit_of_n_lets_the_producer_run_n_plus_1_times(limit):
    scene = begun({"make": "", "check": f"make guard:make rejects:9 stagnant:{limit}"})
    told = rejected(scene, *["same"] * (limit + 1))
    assert scene.attempt("make") == limit + 1
    assert told.verdict == ("failed", "check", "poor")
    assert told.event("guard_retry.exhausted").data["reason"] == "stagnation"


def test_another_rejection_begins_the_count_of_equal_ones_anew():
    scene = begun({"make": "", "check": "make guard:make rejects:9 stagnant:1"})
    assert rejected(scene, "x", "y", "x", "y").verdict is None
    assert rejected(scene, "y").event("guard_retry.exhausted").data["reason"] == "stagnation"


def test_a_guard_that_rejects_too_late_is_exhausted():
    graph = {"make": "", "check": "make guard:make rejects:9 within:3"}
    scene = begun(graph)
    assert rejected(scene, "x").armed == {("guard", "check"): 3.0}
    assert scene.tick(scene.fired(TimerKind.GUARD, "check")) == []
    told = rejected(scene, "y")
    assert told.event("guard_retry.exhausted").data["reason"] == "timeout"
    assert told.verdict == ("failed", "check", "poor")


def test_a_guard_that_lets_pass_too_late_lets_pass():
    scene = begun({"make": "", "check": "make guard:make within:3"})
    rejected(scene, "x")
    scene.tick(scene.fired(TimerKind.GUARD, "check"))
    scene.tick(scene.ok("make"))
    assert scene.tick(scene.ok("check")).verdict == ("ok", None, None)


def test_what_a_guard_rejects_with_its_last_chance_is_handled_as_any_failure():
    for words, state in (("tolerant", StageState.FAILED), ("fallback", StageState.FELL_BACK)):
        scene = begun({"make": "", "check": f"make guard:make rejects:1 {words}"})
        assert rejected(scene, "x").verdict == ("ok", None, None)
        assert scene.state("check") is state


@pytest.mark.parametrize("end", [Ending.TIMED_OUT, Ending.LOST, Ending.RETRY, Ending.FAIL])
def test_a_guard_that_fails_otherwise_rejects_nothing(end):
    scene = begun()
    scene.tick(scene.ok("make"))
    told = scene.tick(scene.ended("check", end, "boom"))
    assert "make" not in told.started
    assert not [event for event in told.events if event.startswith("guard_retry")]


def test_a_guard_that_rejects_after_its_own_time_was_up_has_timed_out():
    scene = begun({"make": "", "check": "make guard:make", "b": ""}, check=1.5)
    scene.tick(scene.ok("make"), scene.ok("b"))
    scene.tick(scene.timer("check"))
    told = scene.tick(scene.reject("check"))
    assert told.verdict == ("timed_out", "check", "Stage timed out after 1500ms")


def test_a_tolerated_guard_that_rejects_after_its_own_time_was_up_rejects_nothing():
    scene = begun({"make": "", "check": "make guard:make tolerant"}, check=1.5)
    scene.tick(scene.ok("make"))
    scene.tick(scene.timer("check"))
    assert scene.tick(scene.reject("check")).verdict == ("ok", None, None)
    assert scene.state("check") is StageState.TIMED_OUT


# --- what is told ---------------------------------------------------------------------------------


def test_a_rejection_is_told_with_the_numbers_of_its_round():
    scene = begun({"make": "", "check": "make guard:make rejects:5 stagnant:4 within:3"})
    rejected(scene, "x")
    told = rejected(scene, "x")
    assert told.events == [
        "guard_retry.attempt",
        "guard_retry.scheduled",
        "stage.error",
        "stage.make.started",
    ]
    data = {
        "guard": "check",
        "attempt": 2,
        "retry_stage": "make",
        "max_attempts": 5,
        "stagnation_hits": 1,
        "timeout_seconds": 3.0,
        "reason": "poor",
    }
    for event in map(told.event, told.events[:2]):
        assert (event.data, event.stage, event.attempt) == (data, scene.index("check"), 2)
    assert told.event("stage.error").data["action_taken"] == "guard_retry"


def test_a_guard_that_is_exhausted_is_told_with_the_number_of_its_rejections():
    told = rejected(begun({"make": "", "check": "make guard:make rejects:2"}), "x", "y")
    assert told.events == [
        "guard_retry.attempt",
        "guard_retry.exhausted",
        "stage.check.failed",
        "stage.error",
        "pipeline.failed",
    ]
    data = told.event("guard_retry.exhausted").data
    assert (data["guard"], data["attempts"], data["reason"]) == ("check", 2, "max_attempts")


def test_a_guard_that_lets_pass_in_the_end_is_told_with_the_number_of_its_rounds():
    scene = begun()
    rejected(scene, "x", "y")
    scene.tick(scene.ok("make"))
    told = scene.tick(scene.ok("check"))
    assert told.events[:2] == ["stage.check.completed", "guard_retry.recovered"]
    assert told.event("guard_retry.recovered").data == {"guard": "check", "attempts": 3}


def test_guards_that_repeat_guards_have_one_budget_for_a_run():
    outer = "inner guard:make rejects:9"
    graph = {"make": "", "inner": "make guard:make rejects:9", "outer": outer}
    scene = begun(graph, Settings(max_guard_repeats_per_run=2))
    for _ in range(2):
        scene.tick(scene.ok("make"))
        assert scene.tick(scene.reject("inner")).started == ["make"]
    scene.tick(scene.ok("make"))
    told = scene.tick(scene.reject("inner"))
    assert told.event("guard_retry.exhausted").data["reason"] == "budget"
    assert told.verdict == ("failed", "inner", "poor")
