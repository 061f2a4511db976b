"""When stages start, and what runs beside what."""

from __future__ import annotations

import asyncio

import pytest

from stageflow_actors import (
    CycleDetectedError,
    Pipeline,
    PipelineValidationError,
    StageKind,
    StageOutput,
)
from tests.conformance.crossing import Gate, Journal
from tests.conformance.order_stages import BlockingMeet, Meet, Own, Write, read_own
from tests.conformance.stages import After, ok


async def test_branches_of_a_diamond_overlap_and_the_join_waits_for_both(run, tmp_path):
    meet = {"folder": tmp_path, "others": ["b", "c"]}
    write = {"folder": tmp_path}
    pipeline = (
        Pipeline()
        .with_stage("d", Write, dependencies=("b", "c"), config=write)
        .with_stage("b", Meet, dependencies="a", config=meet)
        .with_stage("c", Meet, dependencies="a", config=meet)
        .with_stage("a", Write, config=write)
    )
    assert (await run(pipeline)).ok
    lines = Journal(tmp_path).lines
    assert (lines[0], set(lines[1:3]), lines[3]) == ("a", {"b", "c"}, "d")


async def test_independent_stages_all_run_at_once(run, tmp_path):
    names = [f"s{number}" for number in range(6)]
    pipeline = Pipeline()
    for name in names:
        pipeline = pipeline.with_stage(name, Meet, config={"folder": tmp_path, "others": names})
    assert (await run(pipeline)).ok


async def test_blocking_stages_run_at_the_same_time(run, tmp_path):
    both = {"folder": tmp_path, "others": ["left", "right"]}
    pipeline = (
        Pipeline()
        .with_stage("left", BlockingMeet, config=both)
        .with_stage("right", BlockingMeet, config=both)
    )
    assert (await run(pipeline)).ok


async def test_results_are_in_completion_order(runtime, tmp_path):
    pipeline = (
        Pipeline()
        .with_stage("slow", After, config={"folder": tmp_path, "gate": "go", "then": "ok"})
        .with_stage("fast", ok, StageKind.WORK)
    )
    async with runtime.deploy(pipeline) as app:
        handle = await app.start()
        async for event in handle.events():
            if event.type == "stage.fast.completed":
                Gate(tmp_path, "go").open()
        assert list((await handle.result()).outputs) == ["fast", "slow"]


async def test_all_stages_of_a_run_see_the_same_start(run):
    async def start_of(ctx):
        return StageOutput.ok(start=ctx.timer.pipeline_start_ms, at=ctx.started_at.isoformat())

    pipeline = (
        Pipeline()
        .with_stage("a", start_of, StageKind.WORK)
        .with_stage("b", start_of, StageKind.WORK, dependencies="a")
        .with_stage("c", start_of, StageKind.WORK, dependencies="b")
    )
    outputs = (await run(pipeline)).outputs
    assert outputs["a"].data == outputs["b"].data == outputs["c"].data


async def test_dependency_named_twice_runs_once(run, tmp_path):
    pipeline = (
        Pipeline()
        .with_stage("a", Write, config={"folder": tmp_path})
        .with_stage("b", Write, dependencies=("a", "a"), config={"folder": tmp_path})
    )
    assert (await run(pipeline)).ok
    assert Journal(tmp_path).lines == ["a", "b"]


async def test_concurrent_runs_share_nothing(runtime, tmp_path):
    texts = [f"run-{number}" for number in range(8)]
    pipeline = (
        Pipeline()
        .with_stage("own", Own, config={"folder": tmp_path, "runs": texts})
        .with_stage("read", read_own, StageKind.WORK, dependencies="own")
    )
    async with runtime.deploy(pipeline) as app:
        handles = [await app.start(input_text=text) for text in texts]
        results = await asyncio.gather(*(handle.result() for handle in handles))
    assert [result.outputs["read"].data["text"] for result in results] == texts
    assert [result.outputs["read"].data["run"] for result in results] == [
        str(handle.run_id) for handle in handles
    ]


def chained(folder, **last):
    write = {"folder": folder}
    return (
        Pipeline()
        .with_stage("last", after="slow", **last)
        .with_stage("slow", Write, dependencies="first", config=write)
        .with_stage("first", Write, config=write)
    )


async def test_stage_ordered_after_another_waits_for_it_and_receives_nothing_of_it(run, tmp_path):
    class Look(Write):
        async def execute(self, ctx):
            await super().execute(ctx)
            return {"inputs": sorted(ctx.inputs.outputs), "has": ctx.inputs.has_output("slow")}

    result = await run(chained(tmp_path, runner=Look, config={"folder": tmp_path}))
    assert Journal(tmp_path).lines == ["first", "slow", "last"]
    assert result.outputs["last"].data == {"inputs": [], "has": False}


async def test_reading_a_stage_that_only_comes_before_says_how_to_get_its_data(run, tmp_path):
    async def read(ctx):
        return {"n": ctx.inputs.get_from("slow", "n")}

    failure = (await run(chained(tmp_path, runner=read, kind=StageKind.WORK))).failures["last"]
    assert failure.code == "INPUT-UNDECLARED"
    assert "Move 'slow' from after= to dependencies=" in str(failure.original)


async def test_stage_that_both_reads_and_follows_another_reads_it(run):
    async def make(ctx):
        return {"n": 1}

    async def read(ctx):
        return {"n": ctx.inputs.require_from("make", "n")}

    pipeline = (
        Pipeline()
        .with_stage("make", make, StageKind.WORK)
        .with_stage("read", read, StageKind.WORK, dependencies="make", after="make")
    )
    assert (await run(pipeline)).outputs["read"].data == {"n": 1}


async def test_order_is_validated_like_data(runtime):
    unknown = Pipeline().with_stage("a", ok, StageKind.WORK, after="nobody")
    with pytest.raises(PipelineValidationError) as raised:
        runtime.deploy(unknown)
    assert raised.value.code == "CONTRACT-004-MISSING_DEP"
    circle = unknown.with_stage("nobody", ok, StageKind.WORK, dependencies="a")
    with pytest.raises(CycleDetectedError):
        runtime.deploy(circle)
