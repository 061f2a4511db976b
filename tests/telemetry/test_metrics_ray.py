"""Metrics of runs on Ray: of processes that were killed, too, and through Ray's own metrics."""

from __future__ import annotations

import asyncio
import os
import signal
import urllib.request

import pytest

from stageflow_actors import (
    Effects,
    NoOpEventSink,
    Pipeline,
    RayRuntime,
    Settings,
    StageOutput,
)
from tests.conformance.crossing import Journal
from tests.conformance.failing_stages import at_once
from tests.telemetry.metrics_seen import SeenMetrics

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_session")]

WAITS_S = 60.0
"""Ray offers what was recorded every ten seconds."""


class DiesOnce:
    """Its process is killed under the first execution."""

    kind = "work"

    def __init__(self, folder):
        self.folder = folder

    async def execute(self, ctx):
        if not Journal(self.folder).lines:
            Journal(self.folder).write("begun")
            os.kill(os.getpid(), signal.SIGKILL)
        return StageOutput.ok()


async def fine(ctx):
    return StageOutput.ok()


async def waits_if_told(ctx):
    if ctx.snapshot.input_text == "wait":
        await asyncio.Event().wait()
    return StageOutput.ok()


async def spawns(ctx):
    await ctx.spawn("child")
    return StageOutput.ok()


def scraped(port):
    url = f"http://127.0.0.1:{port}/metrics"
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read().decode()


def values_in(text, name, *labels):
    """By the values of ``labels``; those of this process alone are there."""
    found = {}
    for line in text.splitlines():
        if line.startswith(f"{name}{{"):
            told, _, value = line.rpartition("} ")
            tags = dict(each.split("=", 1) for each in told.partition("{")[2].split(","))
            key = tuple(tags[label].strip('"') for label in labels)
            found[key] = found.get(key, 0) + float(value)
    return found


async def until_seen(port, holds):
    async with asyncio.timeout(WAITS_S):
        while True:
            try:
                text = await asyncio.to_thread(scraped, port)
            except OSError:  # nothing was offered yet
                text = ""
            if holds(text):
                return text
            await asyncio.sleep(0.25)


async def test_what_was_killed_is_counted_and_prometheus_sees_it_through_ray(
    ray_session, monkeypatch, tmp_path
):
    seen = SeenMetrics(monkeypatch)
    name = f"till-{os.getpid()}"
    pipeline = (
        Pipeline(name)
        .with_stage(
            "dies", DiesOnce, config={"folder": tmp_path}, effects=Effects.NONE, retry=at_once(2)
        )
        .with_stage("spawns", spawns, "work", dependencies="dies")
    )
    child = Pipeline("child").with_stage("fine", fine, "work")
    settings = Settings(ray_metrics=True, gauges_interval_s=0.05)
    async with (
        RayRuntime(event_sink=NoOpEventSink(), settings=settings, registry=[child]) as runtime,
        runtime.deploy(pipeline) as app,
    ):
        result = await (await app.start()).result()
        assert result.ok, result.reason
        async with asyncio.timeout(WAITS_S):
            while not seen.points("stageflow.stage.replicas"):
                await asyncio.sleep(0.01)
    attempts = seen.values("stageflow.stage.attempts", "pipeline", "stage", "outcome", "error")
    assert attempts == {
        (name, "dies", "retried", "StageLostError"): 1,
        (name, "dies", "completed", None): 1,
        (name, "spawns", "completed", None): 1,
        ("child", "fine", "completed", None): 1,
    }
    assert seen.values("stageflow.stage.losses", "stage") == {("dies",): 1}
    assert seen.values("stageflow.stage.retries", "stage") == {("dies",): 1}
    assert sum(seen.values("stageflow.stage.restarts", "pipeline").values()) == 1
    assert seen.values("stageflow.child_runs", "child", "status") == {("child", "ok"): 1}
    assert seen.values("stageflow.runs", "pipeline", "status") == {
        (name, "ok"): 1,
        ("child", "ok"): 1,
    }
    seen.provider.shutdown()

    (node,) = [each for each in ray_session.nodes() if each["Alive"]]
    of_runs = ("stageflow_pipeline_name", "stageflow_run_status")
    text = await until_seen(
        node["MetricsExportPort"],
        lambda text: (name, "ok") in values_in(text, "ray_stageflow_runs_total", *of_runs),
    )
    assert values_in(text, "ray_stageflow_runs_total", *of_runs)[name, "ok"] == 1
    of_attempts = ("stageflow_pipeline_name", "stageflow_stage_name", "stageflow_attempt_outcome")
    told = values_in(text, "ray_stageflow_stage_attempts_total", *of_attempts)
    assert {key[1:]: value for key, value in told.items() if key[0] == name} == {
        ("dies", "retried"): 1,
        ("dies", "completed"): 1,
        ("spawns", "completed"): 1,
    }
    counted = "ray_stageflow_stage_attempt_duration_seconds_count"
    assert values_in(text, counted, *of_attempts)[name, "dies", "completed"] == 1
    shown = values_in(text, "ray_stageflow_runs_in_flight", "stageflow_pipeline_name")
    assert shown[name,] == 0  # the deployment is closed


async def test_what_was_lost_with_its_supervisor_is_counted_and_the_next_one_looked_at(monkeypatch):
    seen = SeenMetrics(monkeypatch)
    settings = Settings(gauges_interval_s=0.05)
    pipeline = Pipeline("till").with_stage("only", waits_if_told, "work")

    async def until(holds):
        async with asyncio.timeout(WAITS_S):
            while not holds():
                await asyncio.sleep(0.01)

    def is_shown():
        return bool(seen.points("stageflow.runs.in_flight"))

    async with (
        RayRuntime(event_sink=NoOpEventSink(), settings=settings) as runtime,
        runtime.deploy(pipeline) as app,
    ):
        run = await app.start(input_text="wait")
        await until(lambda: seen.values("stageflow.runs.in_flight", "pipeline") == {("till",): 1})
        async for event in run.events():
            if event.type == "stage.only.started":
                break
        os.kill((await app.describe())["supervisor_pid"], signal.SIGKILL)
        assert not (await run.result()).ok
        await until(lambda: not is_shown())
        assert await app.run()
        await until(is_shown)
    told = seen.values("stageflow.stage.attempts", "outcome", "error")
    assert told == {("lost", "SupervisorLostError"): 1, ("completed", None): 1}
    assert seen.values("stageflow.stage.losses", "stage") == {("only",): 1}
    assert seen.values("stageflow.stage.queue.duration", "stage") == {("only",): 1}
    assert seen.values("stageflow.runs", "status") == {("failed",): 1, ("ok",): 1}
    seen.provider.shutdown()
