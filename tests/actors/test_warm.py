"""Deployments stay warm between runs: kept, replaced when the code is edited, and bounded."""

from __future__ import annotations

import asyncio
import os
import signal
import threading

import pytest

from stageflow_actors import (
    Pipeline,
    RayRuntime,
    Settings,
    StageExecutionError,
    StageKind,
)
from tests.actors.process_stages import tell_pid
from tests.actors.warm_stages import BrokenOnce
from tests.actors.watching import gone

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_session")]


def pipeline(name="warm", runner=tell_pid):
    return Pipeline(name).with_stage("only", runner, StageKind.WORK)


async def pid_of(runtime, deployed):
    return (await deployed.run(runtime=runtime))["only"].data["pid"]


def edited(number):
    """A function defined anew, as a notebook cell defines it: shipped by value."""

    async def cell(ctx):
        return {"pid": os.getpid(), "edit": number}

    return cell


async def test_same_pipeline_runs_on_the_same_processes_also_at_the_same_time():
    async with RayRuntime() as runtime:
        runs = [pid_of(runtime, pipeline()) for _ in range(4)]
        (first,) = set(await asyncio.gather(*runs))
        assert await pid_of(runtime, pipeline()) == first
        assert await pid_of(runtime, pipeline().build()) == first
    await gone(first)


async def test_edited_code_gets_new_processes_and_the_old_ones_stop():
    async with RayRuntime() as runtime:
        before = await pid_of(runtime, pipeline(runner=edited(1)))
        results = await pipeline(runner=edited(2)).run(runtime=runtime)
        assert results["only"].data["edit"] == 2
        assert results["only"].data["pid"] != before
        await gone(before)  # while the runtime is still open


async def test_only_so_many_idle_deployments_are_kept():
    async with RayRuntime(settings=Settings(max_idle_deployments=1)) as runtime:
        oldest = await pid_of(runtime, pipeline("one"))
        newest = await pid_of(runtime, pipeline("two"))
        await gone(oldest)
        assert await pid_of(runtime, pipeline("two")) == newest


def test_threads_with_their_own_loops_share_one_deployment():
    runtime = RayRuntime()
    pids = []

    def script():
        pids.append(pipeline().run_sync(runtime=runtime)["only"].data["pid"])

    threads = [threading.Thread(target=script) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pids) == 3
    assert len(set(pids)) == 1
    asyncio.run(runtime.close())


async def test_deployment_that_failed_to_open_is_tried_anew(tmp_path):
    broken = Pipeline().with_stage("only", BrokenOnce, config={"flag": tmp_path / "flag"})
    async with RayRuntime() as runtime:
        with pytest.raises(Exception, match="not yet"):
            await broken.run(runtime=runtime)
        assert await pid_of(runtime, broken)


async def test_next_run_after_a_lost_supervisor_is_on_a_new_deployment():
    async with RayRuntime() as runtime:
        before = await pid_of(runtime, pipeline())
        [entry] = runtime._warm._entries.values()
        os.kill((await entry.deployment.describe())["supervisor_pid"], signal.SIGKILL)
        with pytest.raises(StageExecutionError) as raised:
            await pid_of(runtime, pipeline())
        assert raised.value.code == "SUPERVISOR-LOST"
        assert await pid_of(runtime, pipeline()) != before
