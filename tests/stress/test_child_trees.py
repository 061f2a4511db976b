"""Trees of child runs are cancelled at their root: every leaf stops, no process is left."""

from __future__ import annotations

import asyncio
import os
import time

import pytest

from stageflow_actors import LocalRuntime, NoOpEventSink, Pipeline, RayRuntime, RunStatus, Settings
from tests.actors.watching import gone
from tests.stress.mortal_stages import Branch, Leaf, Log

LEVELS = 5


@pytest.fixture(params=[LocalRuntime, pytest.param(RayRuntime, marks=pytest.mark.ray)])
def make(request):
    if request.param is RayRuntime:
        request.getfixturevalue("ray_session")
    return request.param


def pids_in(tree):
    """All processes of a deployment and of those below it."""
    found = {tree["supervisor_pid"], *(stage["pid"] for stage in tree["stages"])}
    for child in tree["children"]:
        found |= pids_in(child)
    return found


async def test_cancelling_the_root_stops_every_leaf(make, is_full, tmp_path, record_property):
    """Leaves are five levels below, each level under supervisors of its own."""
    count = 50 if is_full else 3
    levels = LEVELS if is_full else 2
    log = Log(tmp_path / "log")
    log.write("opened", 0, 0)
    pipelines = [
        Pipeline("leaf").with_stage("leaf", Leaf, config={"path": log.path}),
        *(Pipeline(f"branch-{below}").with_stage("branch", Branch) for below in range(1, levels)),
    ]
    registry = [pipeline.build(interceptors=[]) for pipeline in pipelines]  # without a time limit
    root = Pipeline("root").with_stage("branch", Branch).build(interceptors=[])
    patient = Settings(grace_s=5.0)  # a machine that is busy starts processes slowly
    runtime = make(event_sink=NoOpEventSink(), registry=registry, settings=patient)
    async with runtime.deploy(root) as app:
        handle = await app.start(data={"below": levels, "count": count})
        while sum(words[0] == "began" for words in log.lines()) < count:
            await asyncio.sleep(0.02)
        tree = await app.describe()
        cancelled_at = time.monotonic()
        await handle.cancel("enough")
        result = await handle.result()
        counts = (await app.describe())["child_runs"]
    stopped = [float(words[1]) for words in log.lines() if words[0] == "stopped"]
    assert result.status is RunStatus.CANCELLED
    assert len(stopped) == count
    assert (counts["cancelled"], counts["live"]) == (count, 0)
    record_property("leaves_stopped_within_ms", (max(stopped) - cancelled_at) * 1000)
    for pid in pids_in(tree) - {os.getpid()}:
        await gone(pid)
