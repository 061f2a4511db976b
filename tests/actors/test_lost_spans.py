"""Spans of what was killed: whoever holds the run closes them, and says why."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest
from opentelemetry.trace import StatusCode

from stageflow_actors import NoOpEventSink, Pipeline, RayRuntime
from tests.telemetry.spans_seen import SeenSpans, check_trees

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_session")]


@pytest.fixture
def seen(monkeypatch):
    return SeenSpans(monkeypatch)


async def dies_once(ctx):
    if ctx.attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"attempt": ctx.attempt}


async def waits(ctx):
    await asyncio.Event().wait()


async def test_an_attempt_whose_process_was_killed_has_its_span(seen):
    pipeline = Pipeline("mortal").with_stage("dies", dies_once, "work", effects="none")
    runtime = RayRuntime(event_sink=NoOpEventSink())
    async with runtime, runtime.deploy(pipeline) as app:
        results = await app.run()
    assert results["dies"].data == {"attempt": 2}
    killed, second = seen.named("stageflow.stage dies")
    assert killed.status.status_code is StatusCode.ERROR
    assert killed.attributes["error.type"] == "StageLostError"
    assert "SIGKILL" in str(killed.status.description) or "died" in str(killed.status.description)
    assert second.attributes["stageflow.attempt.outcome"] == "completed"
    check_trees(seen.all)


async def test_a_run_whose_supervisor_was_killed_has_its_spans(seen):
    pipeline = Pipeline("headless").with_stage("waits", waits, "work")
    runtime = RayRuntime(event_sink=NoOpEventSink())
    async with runtime, runtime.deploy(pipeline) as app:
        handle = await app.start()
        async for event in handle.events():
            if event.type == "stage.waits.started":
                os.kill((await app.describe())["supervisor_pid"], signal.SIGKILL)
        result = await handle.result()
        told = [event async for event in handle.events()]
    (failure,) = result.failures.values()
    assert told[-1].type == "pipeline.failed"
    assert (told[-1].data["code"], told[-1].seq) == (failure.code, len(told))
    run = seen.one("invoke_workflow headless")
    assert run.status.status_code is StatusCode.ERROR
    attempt = seen.one("stageflow.stage waits")
    assert attempt.attributes["stageflow.attempt.outcome"] == "lost"
    check_trees(seen.all)
