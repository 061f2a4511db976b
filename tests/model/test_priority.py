"""The priority of a run: given to its context, kept by it, and had by the runs it starts."""

import pytest

from stageflow_actors import (
    ContextSnapshot,
    InvalidRunInputError,
    PipelineContext,
    PipelineTimer,
    RunPriority,
    StageContext,
    StageInputs,
)
from stageflow_actors.model.pipeline_context import child_context, to_pipeline_context
from stageflow_actors.model.spawning import ChildWish

BACKGROUND, INTERACTIVE = RunPriority.BACKGROUND, RunPriority.INTERACTIVE


def stage_of(priority):
    snapshot = ContextSnapshot(topology="t")
    return StageContext(snapshot, StageInputs(snapshot), "s", PipelineTimer(), priority=priority)


def test_there_are_two_and_both_are_known_by_name():
    assert list(RunPriority) == [INTERACTIVE, BACKGROUND] == ["interactive", "background"]


@pytest.mark.parametrize("given", [BACKGROUND, "background"])
def test_a_run_has_the_priority_it_was_given(given):
    for context in (
        PipelineContext(priority=given),
        PipelineContext.create(priority=given, input_text="hi"),
        to_pipeline_context(None, {"priority": given}),
    ):
        assert context.priority is BACKGROUND


def test_a_run_that_says_nothing_is_interactive():
    snapshot = ContextSnapshot()
    given_nothing = StageContext(snapshot, StageInputs(snapshot), "s", PipelineTimer())
    for context in (PipelineContext(), PipelineContext.create(), given_nothing):
        assert context.priority is INTERACTIVE


@pytest.mark.parametrize("given", ["urgent", "", 1, None, ["background"], "x" * 1000])
def test_anything_else_is_refused_with_what_was_given_and_what_there_is(given):
    with pytest.raises(InvalidRunInputError, match="the given priority") as refused:
        to_pipeline_context(None, {"priority": given})
    assert repr(given)[:80] in refused.value.message
    assert len(refused.value.message) < 200
    assert refused.value.hint == "Known priorities: interactive, background."


def test_it_stays_in_every_form_of_the_same_run():
    context = PipelineContext(priority="background", timeout=5)
    assert context.with_snapshot(ContextSnapshot()).priority is BACKGROUND
    assert context.after_waiting(1).priority is BACKGROUND


@pytest.mark.parametrize("priority", RunPriority)
def test_the_runs_of_a_stage_have_that_of_its_run(priority):
    stage = stage_of(priority)
    assert to_pipeline_context(stage, {}).priority is priority
    assert child_context(stage, ChildWish("p")).priority is priority


def test_an_unknown_part_is_refused_with_priority_among_those_there_are():
    with pytest.raises(TypeError, match=r"no priorty; it has: .*\bpriority\b"):
        PipelineContext.create(priorty="background")
