"""A stage that stops what depends on it, and nothing else."""

import pytest

from stageflow_actors.engine.state import RunPhase, StageState
from tests.engine.scene import Scene

LEFT_A = "'a' cancelled its branch: not today"


def left(graph):
    """A run in which ``a`` has cancelled its branch, and what that commanded."""
    scene = Scene(graph)
    scene.begin()
    return scene, scene.tick(scene.cancel_branch("a", "not today"))


def test_what_depends_on_it_does_not_run_down_to_the_end():
    _scene, told = left({"a": "", "b": "a", "c": "b", "other": ""})
    assert (told.started, told.skipped) == ([], {"b": LEFT_A, "c": LEFT_A})


def test_the_run_goes_on_and_completes():
    scene, told = left({"a": "", "b": "a", "other": ""})
    assert (told.interrupted, scene.phase) == ({}, RunPhase.RUNNING)
    assert scene.state("a") is StageState.BRANCH_CANCELLED
    assert scene.tick(scene.ok("other")).verdict == ("ok", None, None)


def test_it_is_told_as_cancelled():
    _scene, told = left({"a": "", "b": "a"})
    assert told.events == ["stage.a.cancelled", "stage.b.skipped", "pipeline.completed"]


def test_a_join_with_one_live_input_runs():
    scene, _told = left({"a": "", "other": "", "join": "a other"})
    assert scene.tick(scene.ok("other")).started == ["join"]


@pytest.mark.parametrize("edge", ["after", "any"])
def test_what_only_comes_after_it_runs(edge):
    assert left({"a": "", "b": f"{edge}:a"})[1].started == ["b"]


def test_it_is_no_reason_to_skip_a_conditional_stage_that_has_another_input():
    scene, _told = left({"a": "", "other": "", "join": "a other conditional"})
    assert scene.tick(scene.ok("other")).started == ["join"]


def test_branches_of_a_router_that_cancelled_its_branch_do_not_run():
    assert left({"a": "", "b": "a route:left"})[1].skipped == {"b": LEFT_A}


def test_it_is_no_failure_that_a_tolerant_mode_or_a_fallback_would_do_anything_about():
    _scene, told = left({"a": "tolerant fallback retry:3", "b": "a"})
    assert told.skipped == {"b": LEFT_A}
    assert told.events == ["stage.a.cancelled", "stage.b.skipped", "pipeline.completed"]


def test_a_stage_that_was_told_to_stop_may_answer_with_it_and_changes_no_verdict():
    scene = Scene({"a": "", "b": "a", "other": ""})
    scene.begin()
    scene.tick(scene.fail("other"))
    told = scene.tick(scene.cancel_branch("a"))
    assert told.verdict == ("failed", "other", "boom")
    assert told.skipped == {}


def test_a_finalizer_that_depends_on_it_alone_is_skipped_in_a_run_that_stops():
    scene, _told = left({"a": "", "work": "", "close": "a any:work", "last": "any:close"})
    told = scene.tick(scene.fail("work"))
    assert (told.skipped, told.started) == ({"close": LEFT_A}, ["last"])
