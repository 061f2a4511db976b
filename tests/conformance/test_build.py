"""A pipeline that cannot run is refused before anything starts, the same way everywhere."""

from __future__ import annotations

import pytest

from stageflow_actors import (
    CycleDetectedError,
    Pipeline,
    PipelineValidationError,
    StageDefinitionError,
    StageGraph,
    StageKind,
)
from tests.conformance.stages import WaitForever, ok


async def test_missing_dependency_is_found_when_deploying_and_not_before(runtime):
    pipeline = Pipeline().with_stage("shout", ok, StageKind.WORK, dependencies="greed")
    pipeline = pipeline.with_stage("greet", ok, StageKind.WORK)
    with pytest.raises(PipelineValidationError, match="Did you mean 'greet'") as raised:
        runtime.deploy(pipeline)
    assert raised.value.code == "CONTRACT-004-MISSING_DEP"
    assert raised.value.stages == ["shout", "greed"]


async def test_circle_is_refused_with_its_path(runtime):
    pipeline = (
        Pipeline()
        .with_stage("a", ok, StageKind.WORK, dependencies="b")
        .with_stage("b", ok, StageKind.WORK, dependencies="a")
    )
    with pytest.raises(CycleDetectedError) as raised:
        await pipeline.run(runtime=runtime)
    assert raised.value.cycle_path == ["a", "b", "a"]
    assert raised.value.code == "CONTRACT-004-CYCLE"


async def test_stage_that_depends_on_itself_is_a_circle(runtime):
    pipeline = Pipeline().with_stage("a", ok, StageKind.WORK, dependencies="a")
    with pytest.raises(CycleDetectedError) as raised:
        runtime.deploy(pipeline)
    assert raised.value.cycle_path == ["a", "a"]


async def test_pipeline_without_stages_is_refused(runtime):
    with pytest.raises(PipelineValidationError) as raised:
        runtime.deploy(Pipeline())
    assert raised.value.code == "CONTRACT-004-EMPTY"
    with pytest.raises(ValueError, match="no stages"):
        StageGraph([])


async def test_second_stage_of_a_name_is_refused_and_the_first_one_runs(runtime):
    pipeline = Pipeline().with_stage("a", ok, StageKind.WORK)
    with pytest.raises(StageDefinitionError) as raised:
        pipeline.with_stage("a", WaitForever)
    assert raised.value.code == "STAGE-DUPLICATE"
    assert (await pipeline.run(runtime=runtime))["a"].data == {"stage": "a"}


async def test_composing_equal_stages_runs_them_once_and_different_ones_conflict(runtime):
    left = Pipeline("left").with_stage("a", ok, StageKind.WORK)
    same = Pipeline("right").with_stage("a", ok, StageKind.WORK)
    other = Pipeline("right").with_stage("a", ok, StageKind.GUARD)
    assert list(await left.compose(same).run(runtime=runtime)) == ["a"]
    with pytest.raises(PipelineValidationError) as raised:
        left.compose(other)
    assert raised.value.code == "CONTRACT-004-CONFLICT"


async def test_long_chain_added_last_first_builds(runtime):
    pipeline = Pipeline()
    for number in reversed(range(5000)):
        needs = f"s{number - 1}" if number else ()
        pipeline = pipeline.with_stage(f"s{number}", ok, StageKind.WORK, dependencies=needs)
    names = runtime.deploy(pipeline).plan.stage_names
    assert names == tuple(f"s{number}" for number in range(5000))


@pytest.mark.parametrize(
    "declare",
    [
        lambda: Pipeline().with_stage("a", WaitForever("x"), config={"folder": "y"}),
        lambda: Pipeline().with_stage("a", ok),
        lambda: Pipeline().with_stage("", ok, StageKind.WORK),
        lambda: Pipeline().with_stage("a", object(), StageKind.WORK),
    ],
    ids=["config of an instance", "no kind", "no name", "no runner"],
)
def test_unusable_stage_is_refused_where_it_is_written(declare):
    with pytest.raises(ValueError, match=r"\[STAGE-DEFINITION\]"):
        declare()
