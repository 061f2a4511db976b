"""A stage that retires: who takes over, and what the one that leaves still has to do."""

from __future__ import annotations

import asyncio

import pytest

from stageflow_actors import Pipeline, RayRuntime, RunStatus, Settings
from tests.actors.retirement_stages import Retiring
from tests.actors.watching import gone, replaced
from tests.conformance.crossing import Gate, Journal

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_session")]


def retiring(folder):
    return Pipeline().with_stage("only", Retiring, config={"folder": folder})


async def pid_in(handle):
    return (await handle.result()).outputs["only"].data["pid"]


async def test_who_is_under_way_finishes_and_who_comes_later_is_executed_by_the_successor(tmp_path):
    async with RayRuntime().deploy(retiring(tmp_path)) as app:
        long = await app.start(input_text="long")
        await Gate(tmp_path, "long-runs").opened()
        former = await pid_in(await app.start(input_text="retire"))
        await replaced(app, "only", former)
        later = await pid_in(await app.start())
        assert later != former
        assert Journal(tmp_path).lines == []  # it still has work
        Gate(tmp_path, "go-on").open()
        assert await pid_in(long) == former
        await gone(former)
        assert Journal(tmp_path).lines == [f"torn down {former}"]
        assert await pid_in(await app.start()) == later
    assert Journal(tmp_path).lines == [f"torn down {former}", f"torn down {later}"]


async def test_closing_has_one_that_is_about_to_leave_torn_down_too(tmp_path):
    async with RayRuntime().deploy(retiring(tmp_path)) as app:
        long = await app.start(input_text="long")
        await Gate(tmp_path, "long-runs").opened()
        former = await pid_in(await app.start(input_text="retire"))
        await replaced(app, "only", former)
        later = await pid_in(await app.start())
    assert (await long.result()).status is RunStatus.CANCELLED
    assert set(Journal(tmp_path).lines) == {f"torn down {former}", f"torn down {later}"}


class NeverTornDown(Retiring):
    async def teardown(self):
        Gate(self.folder, "hangs").open()
        await asyncio.Event().wait()


async def test_one_whose_teardown_hangs_is_ended_nevertheless(tmp_path):
    runtime = RayRuntime(settings=Settings(stop_timeout_s=0.5))
    pipeline = Pipeline().with_stage("only", NeverTornDown, config={"folder": tmp_path})
    async with runtime.deploy(pipeline) as app:
        former = await pid_in(await app.start(input_text="retire"))
        await Gate(tmp_path, "hangs").opened()
        async with asyncio.timeout(20):
            await gone(former)
