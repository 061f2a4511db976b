"""What a failed stage does to the rest of its run: modes, optional dependencies, fallbacks."""

import pytest

from stageflow_actors.engine.commands import EmitEvent, FallBack, SkipStage
from stageflow_actors.engine.facts import Ending
from stageflow_actors.engine.state import RunPhase, StageState
from tests.engine.scene import Scene

FAILED_A = "'a' failed: boom"


def begun(graph, **timeouts):
    scene = Scene(graph, **timeouts)
    scene.begin()
    return scene


def after_failure(graph, stage="a"):
    """A run in which ``stage`` has failed, and what that commanded."""
    scene = begun(graph)
    return scene, scene.tick(scene.fail(stage))


# --- tolerant stages ------------------------------------------------------------------------------


def test_a_run_goes_on_without_a_tolerant_stage_that_failed():
    scene, told = after_failure({"a": "tolerant", "b": ""})
    assert (told.interrupted, scene.phase) == ({}, RunPhase.RUNNING)
    assert scene.state("a") is StageState.FAILED
    assert scene.tick(scene.ok("b")).verdict == ("ok", None, None)


def test_the_mode_of_a_stage_is_that_of_no_other():
    scene = begun({"a": "tolerant", "b": ""})
    scene.tick(scene.fail("a"))
    assert scene.tick(scene.fail("b")).verdict == ("failed", "b", "boom")


@pytest.mark.parametrize("edge", ["", "after:"])
def test_what_requires_a_failed_stage_is_skipped_with_the_reason(edge):
    _scene, told = after_failure({"a": "tolerant", "b": f"{edge}a"})
    assert told.skipped == {"b": FAILED_A}
    assert told.verdict == ("ok", None, None)


def test_a_blocked_stage_is_told_as_skipped_with_its_reason():
    scene, told = after_failure({"a": "tolerant", "b": "a", "c": ""})
    data = {"status": "skip", "duration_ms": 0, "reason": FAILED_A}
    assert told.commands[-2:] == [
        SkipStage(scene.index("b"), FAILED_A, 101.0),
        EmitEvent("stage.b.skipped", 101.0, scene.index("b"), 1, data),
    ]


def test_what_requires_a_blocked_stage_is_blocked_with_all_the_reasons():
    _scene, told = after_failure({"a": "tolerant", "b": "a", "c": "b", "d": "after:c"})
    below = f"'b' was skipped: {FAILED_A}"
    assert told.skipped == {"b": FAILED_A, "c": below, "d": f"'c' was skipped: {below}"}


def test_one_failed_input_blocks_a_join_once_the_others_have_passed():
    scene, told = after_failure({"a": "tolerant", "other": "", "join": "other a"})
    assert told.skipped == {}
    assert scene.tick(scene.ok("other")).skipped == {"join": FAILED_A}


def test_of_several_failed_inputs_the_first_named_gives_the_reason():
    scene = begun({"a": "tolerant", "b": "tolerant", "join": "b a"})
    told = scene.tick(scene.fail("a", "of a"), scene.fail("b", "of b"))
    assert told.skipped == {"join": "'b' failed: of b"}


def test_what_only_waits_for_the_end_of_a_failed_stage_runs():
    graph = {"a": "tolerant", "b": "a", "close": "any:a", "last": "any:b"}
    assert after_failure(graph)[1].started == ["close", "last"]


def test_a_finalizer_that_also_requires_the_failed_stage_is_blocked():
    graph = {"a": "tolerant", "b": "", "close": "a any:b"}
    scene, _told = after_failure(graph)
    assert scene.tick(scene.fail("b")).skipped == {"close": FAILED_A}


@pytest.mark.parametrize("ending", [Ending.FAIL, Ending.TIMED_OUT, Ending.LOST])
def test_every_kind_of_failure_is_tolerated(ending):
    scene = begun({"a": "tolerant", "b": "a"})
    told = scene.tick(scene.ended("a", ending, "boom"))
    assert told.skipped == {"b": FAILED_A}
    assert told.verdict == ("ok", None, None)


def test_a_tolerant_stage_that_is_too_late_stops_nobody_else():
    scene = begun({"a": "tolerant", "b": ""}, a=1.5)
    text = "Stage timed out after 1500ms"
    assert scene.tick(scene.timer("a")).interrupted == {"a": text}
    assert scene.state("b") is StageState.RUNNING
    scene.tick(scene.ok("a"))
    assert scene.state("a") is StageState.TIMED_OUT
    assert scene.tick(scene.ok("b")).verdict == ("ok", None, None)


@pytest.mark.parametrize("ending", [Ending.CANCEL, Ending.INTERRUPTED])
def test_tolerance_is_for_failures_a_cancel_stops_the_run(ending):
    scene = begun({"a": "tolerant", "b": ""})
    assert scene.tick(scene.ended("a", ending, "enough")).interrupted == {"b": "enough"}


def test_a_blocked_dependency_is_no_reason_to_skip_a_conditional_stage():
    graph = {"a": "tolerant", "b": "a", "c": "opt:b conditional"}
    assert after_failure(graph)[1].started == ["c"]


def test_a_stage_off_its_route_is_skipped_for_that_even_if_it_also_lacks_an_input():
    scene = begun({"a": "tolerant", "r": "", "b": "r a route:left router:r"})
    scene.tick(scene.fail("a"))
    told = scene.tick(scene.ok("r", route="right"))
    assert told.skipped == {"b": "'r' took route 'right'"}


def test_branches_of_a_router_that_failed_are_blocked_even_those_that_could_do_without_its_data():
    graph = {"a": "tolerant", "b": "a route:left", "c": "opt:a route:left"}
    assert after_failure(graph)[1].skipped == {"b": FAILED_A, "c": FAILED_A}


def test_branches_of_a_blocked_router_are_blocked():
    _scene, told = after_failure({"a": "tolerant", "r": "a", "b": "r route:left"})
    assert told.skipped["b"] == f"'r' was skipped: {FAILED_A}"


# --- optional dependencies ------------------------------------------------------------------------


def test_a_stage_runs_without_an_optional_input_that_failed():
    scene, told = after_failure({"a": "tolerant", "b": "opt:a", "c": "b"})
    assert told.started == ["b"]
    assert scene.tick(scene.ok("b")).started == ["c"]


def test_a_stage_runs_without_an_optional_input_that_was_blocked():
    _scene, told = after_failure({"a": "tolerant", "b": "a", "c": "opt:b"})
    assert (told.skipped, told.started) == ({"b": FAILED_A}, ["c"])


def test_a_stage_still_waits_for_its_optional_input():
    scene = begun({"a": "tolerant", "b": "", "c": "opt:a b"})
    assert scene.tick(scene.ok("b")).started == []
    assert scene.tick(scene.ok("a")).started == ["c"]


def test_an_optional_input_does_not_replace_a_required_one():
    graph = {"a": "tolerant", "b": "tolerant", "c": "opt:a b"}
    scene, _told = after_failure(graph)
    assert scene.tick(scene.fail("b")).skipped == {"c": "'b' failed: boom"}


def test_an_optional_input_of_a_stage_that_is_not_tolerant_still_stops_the_run():
    assert after_failure({"a": "", "b": "opt:a"})[1].verdict == ("failed", "a", "boom")


# --- fallbacks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [Ending.FAIL, Ending.TIMED_OUT, Ending.LOST])
def test_a_fallback_stands_in_for_the_output_and_the_dependents_run(ending):
    scene = begun({"a": "fallback", "b": "a", "c": "after:a"})
    told = scene.tick(scene.ended("a", ending, "boom"))
    assert scene.state("a") is StageState.FELL_BACK
    assert FallBack(scene.index("a"), 101.0) in told.commands
    assert told.started == ["b", "c"]


def test_a_fallback_comes_before_the_mode():
    scene, told = after_failure({"a": "fallback tolerant", "b": "a"})
    assert told.started == ["b"]
    assert scene.state("a") is StageState.FELL_BACK


def test_a_run_completes_with_a_fallback_in_it_and_tells_the_failure():
    _scene, told = after_failure({"a": "fallback"})
    assert told.events == ["stage.a.failed", "stage.error", "pipeline.completed"]


def test_a_stage_that_is_too_late_for_its_fallback_stops_nobody_else():
    scene = begun({"a": "fallback", "b": "a", "other": ""}, a=1.5)
    assert list(scene.tick(scene.timer("a")).interrupted) == ["a"]
    assert scene.tick(scene.ok("a")).started == ["b"]


def test_a_router_that_fell_back_took_no_route():
    _scene, told = after_failure({"a": "fallback", "b": "a route:left"})
    assert told.skipped == {"b": "'a' fell back and took no route"}


def test_a_stage_that_fails_while_the_run_stops_needs_no_fallback():
    scene = begun({"a": "fallback", "b": ""})
    scene.tick(scene.fail("b"))
    scene.tick(scene.fail("a"))
    assert scene.state("a") is StageState.FAILED


def test_a_finalizer_that_fails_in_a_run_that_stops_falls_back_for_those_behind_it():
    scene = begun({"a": "", "close": "any:a fallback", "audit": "close any:a"})
    scene.tick(scene.fail("a"))
    assert scene.tick(scene.fail("close")).started == ["audit"]


# --- what is told ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "mode", "action"),
    [
        ("", "fail_fast_blocking", "stop_run"),
        ("tolerant", "continue_on_error", "continue"),
        ("fallback", "fail_fast_blocking", "fallback"),
        ("retry:2", "fail_fast_blocking", "retry"),
    ],
)
def test_every_failure_is_told_with_what_was_done_about_it(words, mode, action):
    scene = begun({"a": words})
    fact = scene.flaw("a", "boom")
    fact.detail = {"error_type": "OSError", "code": "NET", "duration_ms": 3}
    event = scene.tick(fact).event("stage.error")
    assert (event.stage, event.attempt, event.at) == (0, 1, 101.0)
    assert event.data == {
        "stage": "a",
        "error": "boom",
        "error_type": "OSError",
        "code": "NET",
        "execution_mode": mode,
        "action_taken": action,
    }


def test_a_timeout_is_told_as_one():
    scene = begun({"a": "tolerant"}, a=1.5)
    scene.tick(scene.timer("a"))
    data = scene.tick(scene.ok("a")).event("stage.error").data
    assert (data["error"], data["error_type"]) == (
        "Stage timed out after 1500ms",
        "StageTimeoutError",
    )
    assert (data["code"], data["action_taken"]) == ("STAGE-TIMEOUT", "continue")
