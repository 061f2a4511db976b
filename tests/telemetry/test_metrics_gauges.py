"""Gauges of real deployments: they say what goes on, ask beside the runs, and end with them."""

from __future__ import annotations

import asyncio
import logging

import pytest

from stageflow_actors import (
    BreakerPolicy,
    LocalRuntime,
    NoOpEventSink,
    Pipeline,
    Settings,
    StageOutput,
    SupervisorLostError,
)
from stageflow_actors.actors.gauge_readings import GaugeReadings
from stageflow_actors.actors.gauges import Sight
from stageflow_actors.telemetry.instruments import Instruments
from stageflow_actors.telemetry.measured import Measured, Measures
from stageflow_actors.telemetry.metrics import MetricsWriter
from stageflow_actors.telemetry.otel_metrics import OtelRecorder
from tests.telemetry.metrics_seen import SeenMetrics, fine

NAME = "stageflow-gauges"
SOON = Settings(gauges_interval_s=0.01, max_running_runs=1)
OF_STAGES = {f"stageflow.stage.{what}" for what in ("replicas", "executing", "waiting")}
OF_RUNS = {"stageflow.runs.in_flight", "stageflow.runs.waiting"}


@pytest.fixture
def seen(monkeypatch):
    seen = SeenMetrics(monkeypatch)
    yield seen
    seen.provider.shutdown()


async def until(holds):
    """As long as it takes."""
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.005)


def tasks():
    return [task for task in asyncio.all_tasks() if task.get_name() == NAME]


class Gate:
    """A stage that waits until it may go on, and fails if it is told to."""

    kind = "work"

    def __init__(self):
        self.go = asyncio.Event()
        self.fails = False

    async def execute(self, ctx):
        await self.go.wait()
        if self.fails:
            raise ConnectionError("gone")
        return StageOutput.ok()


def of_one(gate, **options):
    return Pipeline("shop").with_stage("gate", gate.execute, "work", **options)


async def test_they_say_what_goes_on_and_end_with_the_deployment(seen):
    gate = Gate()
    async with (
        LocalRuntime(event_sink=NoOpEventSink(), settings=SOON) as runtime,
        runtime.deploy(of_one(gate)) as app,
    ):
        runs = [await app.start() for _ in range(3)]
        await until(lambda: seen.values("stageflow.runs.waiting", "pipeline") == {("shop",): 2})
        assert seen.values("stageflow.runs.in_flight", "pipeline") == {("shop",): 1}
        await until(lambda: seen.values("stageflow.stage.executing", "stage") == {("gate",): 1})
        assert seen.values("stageflow.stage.replicas", "pipeline", "stage") == {("shop", "gate"): 1}
        gate.go.set()
        for run in runs:
            await run.result()
        await until(lambda: seen.total("stageflow.runs.in_flight") == 0)
        assert seen.names >= OF_RUNS | OF_STAGES
        assert len(tasks()) == 1
    assert not seen.names & (OF_RUNS | OF_STAGES | {"stageflow.breaker.state"})
    await until(lambda: not tasks())


async def test_a_breaker_that_opens_is_seen(seen):
    gate = Gate()
    gate.fails = True
    gate.go.set()
    pipeline = of_one(gate, breaker=BreakerPolicy(failure_threshold=1, reset_timeout_s=600))
    async with (
        LocalRuntime(event_sink=NoOpEventSink(), settings=SOON) as runtime,
        runtime.deploy(pipeline) as app,
    ):
        await until(lambda: seen.values("stageflow.breaker.state", "stage") == {("gate",): 0})
        await (await app.start()).result()
        await until(lambda: seen.values("stageflow.breaker.state", "stage") == {("gate",): 2})


async def test_a_pipeline_that_is_not_measured_says_how_many_runs_it_has(seen):
    pipeline = of_one(Gate()).build(interceptors=[])
    async with (
        LocalRuntime(event_sink=NoOpEventSink(), settings=SOON) as runtime,
        runtime.deploy(pipeline),
    ):
        await until(lambda: seen.names >= OF_RUNS)
        assert seen.names == OF_RUNS


async def test_unless_somebody_measures_nobody_asks():
    async with (
        LocalRuntime(event_sink=NoOpEventSink(), settings=SOON) as runtime,
        runtime.deploy(of_one(Gate())),
    ):
        assert tasks() == []


async def test_they_begin_with_the_next_run_where_metrics_came_later(monkeypatch):
    gate = Gate()
    gate.go.set()
    async with (
        LocalRuntime(event_sink=NoOpEventSink(), settings=SOON) as runtime,
        runtime.deploy(of_one(gate)) as app,
    ):
        seen = SeenMetrics(monkeypatch)
        await until(lambda: runtime._feed.metering.is_on)
        await app.run()
        await until(lambda: seen.names >= OF_RUNS)
        seen.provider.shutdown()


async def test_a_look_that_fails_or_hangs_shows_nothing_and_harms_no_run(seen, caplog):
    caplog.set_level(logging.WARNING)
    gate = Gate()
    gate.go.set()
    async with (
        LocalRuntime(event_sink=NoOpEventSink(), settings=SOON) as runtime,
        runtime.deploy(of_one(gate)) as app,
    ):
        await until(lambda: seen.names >= OF_RUNS)
        describe, failed = app._describe, asyncio.Event()

        async def raises():
            failed.set()
            raise SupervisorLostError("it died")

        app._describe = raises
        await failed.wait()
        await until(lambda: not seen.names & OF_RUNS)
        assert await app.run()
        app._describe = describe
        await until(lambda: seen.names >= OF_RUNS)
        hangs = asyncio.Event()

        async def never():
            hangs.set()
            await asyncio.Event().wait()

        app._describe = never
        await hangs.wait()
        assert await app.run()
        app._describe = describe
    assert caplog.records == []


async def test_they_end_when_told_to_as_a_look_ends(seen):
    async with (
        LocalRuntime(event_sink=NoOpEventSink(), settings=SOON) as runtime,
        runtime.deploy(of_one(Gate())) as app,
    ):
        described, asked = await app._describe(), asyncio.Event()
        answer = asyncio.get_running_loop().create_future()

        async def answers():
            asked.set()
            return await answer

        app._describe = answers
        await asked.wait()
        (reading,) = tasks()
        answer.set_result(described)
        reading.cancel()
        await asyncio.wait([reading], timeout=20)
        assert reading.cancelled()


async def test_children_have_gauges_of_their_own(seen):
    gate = Gate()

    async def spawns(ctx):
        await ctx.spawn("shop")
        return StageOutput.ok()

    parent = Pipeline("parent").with_stage("spawns", spawns, "work")
    async with (
        LocalRuntime(event_sink=NoOpEventSink(), settings=SOON, registry=[of_one(gate)]) as runtime,
        runtime.deploy(parent) as app,
    ):
        run = await app.start()
        await until(
            lambda: (
                seen.values("stageflow.runs.in_flight", "pipeline")
                == {("parent",): 1, ("shop",): 1}
            )
        )
        gate.go.set()
        assert (await run.result()).ok


def test_a_deployment_goes_on_being_looked_at_on_the_next_event_loop(seen):
    gate = Gate()
    runtime = LocalRuntime(event_sink=NoOpEventSink(), settings=SOON)
    app = runtime.deploy(of_one(gate))

    async def look():
        app._gauges.follow()
        assert len(tasks()) == 1

    asyncio.run(look())
    asyncio.run(look())


def test_a_pipeline_in_several_places_is_added_up_and_each_death_counts_once(seen):
    plan = Pipeline("shop").with_stage("fine", fine, "work").build().plan
    writer = MetricsWriter([OtelRecorder(seen.provider)], Measured())
    readings = GaugeReadings()

    def sight(place, *pids):
        deaths = [{"stage": "fine", "pid": pid, "epoch": 1, "seen_at": 1.0} for pid in pids]
        load = {"name": "fine", "replicas": 1, "in_flight": 2, "waiting": 3}
        runs = {"running": 4, "waiting": 0}
        told = {"runs": runs, "stages": [load], "restarts": {"deaths": deaths}}
        return Sight(place, plan, Measures(), told)

    top, below = sight((), 1), sight(("shop",), 2, 3)
    for sights, executing in (([top, below], 4), ([top], 2), ([top, below], 4)):
        readings.show(writer, sights)
        assert seen.total(Instruments.EXECUTING.name) == executing
        assert seen.total(Instruments.RESTARTS.name) == 3
    readings.hide(writer)
    assert not seen.names & (OF_RUNS | OF_STAGES)
