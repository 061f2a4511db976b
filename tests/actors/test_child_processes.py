"""Whose process belongs to whom when stages have children, and who goes along when one is ended."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from pathlib import Path

import pytest

from stageflow_actors import (
    AuthContext,
    AuthInterceptor,
    DeploymentError,
    RayRuntime,
    RunStatus,
    Settings,
    StageLostError,
)
from tests.actors.watching import gone
from tests.conformance.crossing import Journal
from tests.conformance.parents import (
    LONG_S,
    alone,
    asking,
    ends,
    stopped,
    waiter,
    waiter_runs,
)

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_session")]


async def all_gone(pids):
    """Returns when none of these processes is left."""
    for pid in pids:
        await gone(pid)


def pids_of(described):
    """Every process of a deployment, and of its children, and theirs."""
    stages = [stage["pid"] for stage in described["stages"]]
    below = [pid for child in described["children"] for pid in pids_of(child)]
    return [described["supervisor_pid"], *stages, *below]


async def test_every_generation_has_processes_of_its_own_which_stay_for_the_next_run():
    runtime = RayRuntime(registry=[alone("ends", ends), alone("middle", asking("ends"))])
    async with runtime.deploy(alone("parent", asking("middle"), timeout=LONG_S)) as app:
        await app.run()
        first = pids_of(await app.describe())
        await app.run()
        second = pids_of(await app.describe())
        assert all(Path(f"/proc/{pid}").exists() for pid in first)
    assert len({os.getpid(), *first}) == 7
    assert second == first
    await all_gone(first)


async def test_processes_that_no_run_uses_for_long_enough_are_ended_and_started_anew():
    runtime = RayRuntime(registry=[alone("ends", ends)], settings=Settings(child_idle_s=0.2))
    async with runtime.deploy(alone("parent", asking("ends"), timeout=LONG_S)) as app:
        own = pids_of({**await app.describe(), "children": []})
        await app.run()
        while children := (await app.describe())["children"]:
            first = [pid for child in children for pid in child.get("stages", [])]
            await asyncio.sleep(0.05)
        results = await app.run()
        assert all(Path(f"/proc/{pid}").exists() for pid in own)
        assert (await app.describe())["restarts"]["deaths"] == []
    assert [stage["name"] for stage in first] == ["ends"]
    await all_gone(stage["pid"] for stage in first)
    assert results["parent"].data["child"].success


async def test_a_child_whose_supervisor_dies_has_failed_and_the_next_one_does_not(tmp_path):
    async def parent(ctx):
        lost = await ctx.spawn("waiter", timeout=LONG_S)
        return {"lost": lost, "again": (await ctx.spawn("waiter", "pass")).status}

    runtime = RayRuntime(registry=[waiter(tmp_path)])
    async with runtime.deploy(alone("parent", parent, timeout=LONG_S)) as app:
        handle = await app.start()
        await waiter_runs(tmp_path)
        (child,) = (await app.describe())["children"]
        os.kill(child["supervisor_pid"], signal.SIGKILL)
        found = (await handle.result()).raise_for_status().outputs["parent"].data
        counts = (await app.describe())["child_runs"]
        told = [event.type async for event in handle.events() if "child" in event.type]
    assert (found["lost"].status, found["lost"].code) == (RunStatus.FAILED, "SUPERVISOR-LOST")
    assert "died" in found["lost"].error
    assert found["again"] == "ok"
    assert not stopped(tmp_path)
    await all_gone([child["supervisor_pid"], *(stage["pid"] for stage in child["stages"])])
    assert (counts["failed"], counts["ok"], counts["live"]) == (1, 1, 0)
    assert told[1::2] == ["pipeline.child_failed", "pipeline.child_completed"]


async def test_whoever_is_below_a_supervisor_that_dies_goes_with_it(tmp_path):
    runtime = RayRuntime(registry=[waiter(tmp_path), alone("middle", asking("waiter"))])
    async with runtime.deploy(alone("parent", asking("middle"), timeout=LONG_S)) as app:
        handle = await app.start()
        await waiter_runs(tmp_path)
        described = await app.describe()
        os.kill(described["supervisor_pid"], signal.SIGKILL)
        result = await handle.result()
        assert len(pids_of(described)) == 6
        await all_gone(pids_of(described))
    assert (result.status, result.failures["<supervisor>"].code) == (
        RunStatus.FAILED,
        "SUPERVISOR-LOST",
    )


async def test_a_child_of_a_stage_whose_process_dies_has_ended_before_that_counts(tmp_path):
    runtime = RayRuntime(registry=[waiter(tmp_path)])
    async with runtime.deploy(alone("parent", asking("waiter"), timeout=LONG_S)) as app:
        handle = await app.start()
        await waiter_runs(tmp_path)
        (stage,) = (await app.describe())["stages"]
        os.kill(stage["pid"], signal.SIGKILL)
        result = await handle.result()
        was_stopped = stopped(tmp_path)
        counts = (await app.describe())["child_runs"]
        again = await app.run(input_text="pass")
    assert result.status is RunStatus.FAILED
    assert isinstance(result.failures["parent"].original, StageLostError)
    assert was_stopped
    assert (counts["cancelled"], counts["live"]) == (1, 0)
    assert again["parent"].data["child"].success


@pytest.mark.stress
async def test_a_body_that_does_not_stop_is_ended_with_its_process_and_its_child_first(tmp_path):
    async def stubborn(ctx):
        child = asyncio.ensure_future(ctx.spawn("waiter", timeout=LONG_S))
        while True:
            try:
                await asyncio.wait({child})
            except asyncio.CancelledError:
                Journal(tmp_path).write("not now")
            if child.done():
                await asyncio.sleep(0)
                threading.Event().wait()  # its loop does not turn any more

    runtime = RayRuntime(registry=[waiter(tmp_path)], settings=Settings(stop_timeout_s=2))
    async with runtime.deploy(alone("parent", stubborn, timeout=LONG_S)) as app:
        handle = await app.start()
        await waiter_runs(tmp_path)
        (stage,) = (await app.describe())["stages"]
        await handle.cancel("enough")
        result = await handle.result()
        assert stopped(tmp_path)
        await gone(stage["pid"])
    assert result.status is RunStatus.CANCELLED


class Locked:
    """Knows everybody, and cannot be sent anywhere."""

    def __init__(self):
        self.lock = threading.Lock()

    async def verify(self, token):
        return AuthContext(user_id="u", org_id="o")


async def test_a_registered_pipeline_that_cannot_be_sent_is_told_when_it_is_deployed():
    lock = threading.Lock()

    async def locked(ctx):
        return {"locked": lock.locked()}

    checks = alone("checks", ends).build(interceptors=[AuthInterceptor(Locked())])
    for registered, name in ((checks, "checks"), (alone("locked", locked), "locked")):
        with pytest.raises(DeploymentError, match=name) as raised:
            RayRuntime(registry=[registered]).deploy(alone("parent", ends))
        assert raised.value.code == "DEPLOYMENT-UNPICKLABLE"
