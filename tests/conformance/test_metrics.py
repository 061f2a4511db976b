"""The metrics of runs: each run and each attempt counts once."""

from __future__ import annotations

import asyncio

import pytest

from stageflow_actors import Pipeline, PipelineContext, Settings
from tests.conformance.parents import alone, knowing
from tests.conformance.stages import ok
from tests.telemetry.metrics_seen import SeenMetrics


@pytest.fixture
def seen(monkeypatch):
    seen = SeenMetrics(monkeypatch)
    yield seen
    seen.provider.shutdown()


async def test_runs_of_one_context_that_go_on_at_once_count_each(runtime, seen):
    pipeline = Pipeline("p").with_stage("a", ok, "work").with_stage("b", ok, "work", "a")
    context, go = PipelineContext.create(topology="p"), asyncio.Event()

    async def wait(_stage, _kind, _context):
        await go.wait()

    context.add_before_stage_start_hook(wait)

    async def has_begun(run):
        async for event in run.events():
            if event.type == "pipeline.started":
                return

    async with runtime, runtime.deploy(pipeline) as app:
        runs = [await app.start(context) for _ in range(3)]
        await asyncio.gather(*map(has_begun, runs))
        go.set()
        assert all([(await run.result()).ok for run in runs])
    assert len({run.run_id for run in runs}) == 1
    assert seen.values("stageflow.runs", "pipeline", "status") == {("p", "ok"): 3}
    attempts = seen.values("stageflow.stage.attempts", "stage", "outcome")
    assert attempts == {("a", "completed"): 3, ("b", "completed"): 3}


async def spawns_child(ctx):
    await ctx.spawn("child")


async def spawns_leaf(ctx):
    await ctx.spawn("leaf")


async def never_ends(ctx):
    await asyncio.Event().wait()


async def until(holds):
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.02)


async def test_child_pipelines_have_gauges_of_their_own(runtime, seen):
    known = knowing(
        runtime,
        alone("child", spawns_leaf),
        alone("leaf", never_ends),
        settings=Settings(gauges_interval_s=0.02),
    )
    one_each = {("top",): 1, ("child",): 1, ("leaf",): 1}
    async with known, known.deploy(alone("top", spawns_child)) as app:
        run = await app.start()
        for name in ("stageflow.runs.in_flight", "stageflow.stage.executing"):
            await until(lambda name=name: seen.values(name, "pipeline") == one_each)
        assert seen.values("stageflow.stage.replicas", "stage") == one_each
        none_each = dict.fromkeys(one_each, 0)
        assert seen.values("stageflow.stage.waiting", "stage") == none_each
        assert seen.values("stageflow.breaker.state", "stage") == none_each
        await run.cancel()
        await run.result()
        await until(lambda: seen.values("stageflow.runs.in_flight", "pipeline") == none_each)
    assert not seen.points("stageflow.runs.in_flight")
