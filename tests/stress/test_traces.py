"""Every attempt has its span, whatever became of it, and all spans of a run are one tree."""

from __future__ import annotations

from collections import Counter

import pytest

from stageflow_actors import InMemoryEventSink, LocalRuntime, RayRuntime, RunStatus, Settings
from stageflow_actors.testing import StageKiller
from tests.stress.traced_stages import leaf_pipeline, traced_pipeline
from tests.telemetry.spans_seen import SeenSpans, check_trees


@pytest.fixture
def seen(monkeypatch):
    return SeenSpans(monkeypatch)


def check(seen, sink, runs):
    """As many spans as attempts and runs that the events tell of, each run in one trace."""
    started = [event for event in sink.events if event.type.endswith(".started")]
    attempts = Counter(
        (event.data["pipeline_run_id"], event.data["stage"], event.data["attempt"])
        for event in started
        if event.type.startswith("stage.")
    )
    told = Counter(
        (
            span.attributes["stageflow.run.id"],
            span.attributes["stageflow.stage.name"],
            span.attributes["stageflow.attempt.number"],
        )
        for span in seen.attempts()
    )
    assert told == attempts
    assert len(seen.runs()) == len(sink.of_type("pipeline.created"))
    assert len({span.context.trace_id for span in seen.all}) == runs
    check_trees(seen.all)


async def run_all(app, count):
    inputs = ({"input_text": str(number)} for number in range(count))
    return Counter([result.status async for _i, result in app.map(inputs, concurrency=32)])


async def test_here(seen, is_full):
    count, sink = 1_000 if is_full else 40, InMemoryEventSink()
    runtime = LocalRuntime(event_sink=sink, registry=[leaf_pipeline()])
    async with runtime, runtime.deploy(traced_pipeline()) as app:
        assert await run_all(app, count) == {RunStatus.OK: count}
    check(seen, sink, count)


@pytest.mark.ray
@pytest.mark.stress  # the small count is that of tests/actors/test_lost_spans
@pytest.mark.usefixtures("ray_session")
async def test_while_processes_are_killed(seen):
    count, sink = 1_000, InMemoryEventSink()
    settings = Settings(restart_intensity=10_000)
    runtime = RayRuntime(event_sink=sink, settings=settings, registry=[leaf_pipeline()])
    async with runtime, runtime.deploy(traced_pipeline()) as app:
        await app.run(input_text="0")
        done = 1
        async with StageKiller(app, every_s=(0.3, 1.0), seed=3) as killer:
            while not killer.kills or done < count:
                assert (await run_all(app, 20)) == {RunStatus.OK: 20}
                done += 20
    assert any(span.attributes.get("error.type") == "StageLostError" for span in seen.attempts())
    check(seen, sink, done)
