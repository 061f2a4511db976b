"""The supervisor is killed: every caller is told, once its stages are gone, and it comes back."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import pytest

from stageflow_actors import (
    Pipeline,
    RayRuntime,
    RunStatus,
    Settings,
    StageExecutionError,
    SupervisorLostError,
)
from tests.actors.charging_stages import HasOneCharge, KeepsCharging
from tests.actors.watching import gone, is_there, pids_in
from tests.conformance.crossing import Gate, Journal

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_session")]

CALLERS = 4


def charging(folder):
    here = {"folder": folder}
    return (
        Pipeline("till")
        .with_stage("one", KeepsCharging, effects="keyed", config=here)
        .with_stage("other", KeepsCharging, effects="keyed", config=here)
        .with_stage("idle", KeepsCharging, effects="keyed", config=here, dependencies="one")
    )


async def under_way(folder, runs):
    """Both stages of so many runs have charged."""
    for name in ("one", "other"):
        await Gate(folder, f"{name}-runs").opened()
    while len(set(Journal(folder).lines)) < 2 * runs:
        await asyncio.sleep(0.01)


async def test_every_caller_is_told_when_no_stage_of_it_is_left_and_nothing_is_done_after(tmp_path):
    async with RayRuntime().deploy(charging(tmp_path)) as app:
        told = await app.describe()
        stages = list(pids_in(told).values())
        handles = [await app.start(input_text="charge") for _ in range(CALLERS)]

        async def told_when(handle):
            result = await handle.result()
            return result, [pid for pid in stages if is_there(pid)]

        await under_way(tmp_path, CALLERS)
        os.kill(told["supervisor_pid"], signal.SIGKILL)
        ends = await asyncio.gather(*map(told_when, handles))
        charged = Journal(tmp_path).lines
        for result, alive in ends:
            assert (result.status, result.stage) == (RunStatus.FAILED, "<supervisor>")
            failure = result.failures["<supervisor>"]
            assert (failure.code, type(failure.original)) == (
                "SUPERVISOR-LOST",
                SupervisorLostError,
            )
            assert alive == []
        again = await (await app.start()).result()
        assert again.status is RunStatus.OK
        anew = await app.describe()
        assert not {told["supervisor_pid"], *stages} & {
            anew["supervisor_pid"],
            *pids_in(anew).values(),
        }
    assert Journal(tmp_path).lines == charged


async def test_a_warm_deployment_is_deployed_anew_by_whoever_runs_next(tmp_path):
    pipeline = charging(tmp_path)
    async with RayRuntime() as runtime:
        runs = [
            asyncio.ensure_future(pipeline.run(runtime=runtime, input_text="charge"))
            for _ in range(2)
        ]
        await under_way(tmp_path, 2)
        (entry,) = runtime._warm._entries.values()
        told = await entry.deployment.describe()
        os.kill(told["supervisor_pid"], signal.SIGKILL)
        errors = await asyncio.gather(*runs, return_exceptions=True)
        await asyncio.gather(*map(gone, pids_in(told).values()))
        charged = Journal(tmp_path).lines
        assert [type(error) for error in errors] == [StageExecutionError] * 2
        assert [error.code for error in errors] == ["SUPERVISOR-LOST"] * 2
        results = await pipeline.run(runtime=runtime)
    assert not {results[name].data["pid"] for name in ("one", "other")} & set(
        pids_in(told).values()
    )
    assert Journal(tmp_path).lines == charged


def pids_of(tree):
    """All processes of a deployment and of those below it."""
    below = [pid for child in tree["children"] for pid in pids_of(child)]
    return [tree["supervisor_pid"], *pids_in(tree).values(), *below]


def above(name, below):
    config = {"below": below}
    return Pipeline(name).with_stage("one", HasOneCharge, "work", config=config)


@pytest.mark.parametrize("round_", range(2))
async def test_nothing_of_its_children_or_theirs_is_left_when_its_callers_are_told(
    tmp_path, round_
):
    registry = [charging(tmp_path), above("middle", "till")]
    async with RayRuntime(registry=registry).deploy(above("top", "middle")) as app:
        handle = await app.start(input_text="charge")
        await under_way(tmp_path, 1)
        told = await app.describe()
        os.kill(told["supervisor_pid"], signal.SIGKILL)
        result = await handle.result()
        assert result.failures["<supervisor>"].code == "SUPERVISOR-LOST"
        charged = Journal(tmp_path).lines
        assert [pid for pid in pids_of(told) if is_there(pid)] == []
        assert len(pids_of(told)) == 8
        assert Journal(tmp_path).lines == charged


ENDS_WITH = """
import asyncio, sys
from stageflow_actors.actors.farewell import end_with

async def main():
    end_with(int(sys.argv[1]))
    print("follows", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_process_ends_with_its_owner_and_does_not_begin_without_it():
    owner = await asyncio.create_subprocess_exec("sleep", "1000")
    command = [sys.executable, "-c", ENDS_WITH, str(owner.pid)]
    follower = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    await follower.stdout.readline()
    owner.kill()
    await owner.wait()
    assert await follower.wait() == 1
    late = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert await late.wait() == 1
    assert await late.stdout.read() == b""


async def test_one_that_was_stopped_is_lost_too(tmp_path):
    quick = Settings(heartbeat_interval_s=0.1, heartbeat_timeout_s=1.0)
    async with RayRuntime(settings=quick).deploy(charging(tmp_path)) as app:
        told = await app.describe()
        handle = await app.start(input_text="charge")
        await under_way(tmp_path, 1)
        os.kill(told["supervisor_pid"], signal.SIGSTOP)
        result = await handle.result()
        assert result.failures["<supervisor>"].code == "SUPERVISOR-LOST"
        assert "did not answer for 1 s" in result.failures["<supervisor>"].message
        again = await (await app.start()).result()
        assert again.status is RunStatus.OK

        idle = (await app.describe())["supervisor_pid"]
        os.kill(idle, signal.SIGSTOP)
        with pytest.raises(SupervisorLostError, match="does not answer"):
            await app.describe()
        await gone(idle)
