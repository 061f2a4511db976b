"""What metrics and spans lack is counted where a user can read it."""

from __future__ import annotations

import asyncio

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

from stageflow_actors import LocalRuntime, NoOpEventSink, Pipeline, Settings, StageOutput
from stageflow_actors.actors.feed import TelemetryStatistics
from tests.telemetry.metrics_seen import SeenMetrics, fine


class Raises(SpanProcessor):
    def on_end(self, span):
        raise SystemExit(3)


async def begun(run):
    async for event in run.events():
        if event.type == "stage.gate.started":
            return


async def test_runs_beyond_the_bound_are_given_up_and_counted(monkeypatch):
    seen = SeenMetrics(monkeypatch)
    go = asyncio.Event()

    async def gate(ctx):
        await go.wait()
        return StageOutput.ok()

    settings = Settings(max_observed_runs=2)
    async with (
        LocalRuntime(event_sink=NoOpEventSink(), settings=settings) as runtime,
        runtime.deploy(Pipeline("shop").with_stage("gate", gate, "work")) as app,
    ):
        runs = []
        for most in (0, 0, 1, 2):
            runs.append(await app.start())
            await begun(runs[-1])
            await runtime.flush_events()
            assert runtime.telemetry_statistics().unobserved_runs == most
        assert seen.values("stageflow.runs.unobserved", "pipeline") == {("shop",): 2}
        go.set()
        assert all([(await run.result()).ok for run in runs])
    seen.provider.shutdown()


async def test_events_that_a_listener_raised_at_have_failed(monkeypatch):
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Raises())
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    async with (
        LocalRuntime(event_sink=NoOpEventSink()) as runtime,
        runtime.deploy(Pipeline("shop").with_stage("fine", fine, "work")) as app,
    ):
        await app.run()
        await runtime.flush_events()
        told = runtime.telemetry_statistics()
    assert told.failed == 2  # the ends of the attempt and of the run
    assert told.submitted == told.delivered + told.failed > told.failed


@pytest.mark.parametrize("is_used", [False, True])
async def test_where_nothing_is_exported_nothing_is_counted(is_used):
    async with (
        LocalRuntime(event_sink=NoOpEventSink()) as runtime,
        runtime.deploy(Pipeline("shop").with_stage("fine", fine, "work")) as app,
    ):
        if is_used:
            await app.run()
            await runtime.flush_events()
        assert runtime.telemetry_statistics() == TelemetryStatistics(0, 0, 0, 0, 0, 0)
