"""The metrics of runs: each run and each attempt counts once."""

from __future__ import annotations

import asyncio

from stageflow_actors import Pipeline, PipelineContext
from tests.conformance.stages import ok
from tests.telemetry.metrics_seen import SeenMetrics


async def test_runs_of_one_context_that_go_on_at_once_count_each(runtime, monkeypatch):
    seen = SeenMetrics(monkeypatch)
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
    seen.provider.shutdown()
