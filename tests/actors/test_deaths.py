"""Processes die: what a run then says, and who takes the place of the dead."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from stageflow_actors import (
    DeploymentError,
    Pipeline,
    RayRuntime,
    RunStatus,
    Settings,
    StageExecutionError,
    StageKind,
    StageLostError,
    SupervisorLostError,
)
from tests.actors.death_stages import Counting, Deaf, DieInSetup, SlowToComeBack, WaitAndTell
from tests.actors.test_processes import three_stages
from tests.actors.watching import gone
from tests.conformance.crossing import Gate, Journal
from tests.conformance.stages import WaitForever, ok

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_session")]


async def test_killed_stage_fails_its_run_and_keeps_what_had_finished(tmp_path):
    pipeline = (
        Pipeline()
        .with_stage("first", ok, StageKind.WORK)
        .with_stage("victim", WaitForever, dependencies="first", config={"folder": tmp_path})
    )
    async with RayRuntime().deploy(pipeline) as app:
        described = await app.describe()
        victim = described["stages"][1]["pid"]
        handle = await app.start()
        await Gate(tmp_path, "victim-runs").opened()
        os.kill(victim, signal.SIGKILL)
        result = await handle.result()
    assert (result.status, result.stage) == (RunStatus.FAILED, "victim")
    assert isinstance(result.failures["victim"].original, StageLostError)
    assert result.failures["victim"].code == "STAGE-OUTCOME-UNKNOWN"
    assert list(result.outputs) == ["first"]


async def test_killed_stage_is_replaced_for_the_next_run(tmp_path):
    pipeline = Pipeline().with_stage("only", Counting, config={"folder": tmp_path})
    async with RayRuntime().deploy(pipeline) as app:
        before = (await app.run())["only"].data["pid"]
        with pytest.raises(StageExecutionError) as raised:
            await app.run(input_text="die")
        after = (await app.run())["only"].data["pid"]
        described = await app.describe()
    assert raised.value.code == "STAGE-OUTCOME-UNKNOWN"
    assert before != after
    assert described["stages"][0]["pid"] == after
    assert Journal(tmp_path).lines == [f"setup {before}", f"setup {after}"]


async def test_one_death_under_several_runs_hires_one_replacement(tmp_path):
    pipeline = Pipeline().with_stage("only", WaitAndTell, config={"folder": tmp_path})
    async with RayRuntime().deploy(pipeline) as app:
        victim = (await app.describe())["stages"][0]["pid"]
        handles = [await app.start() for _ in range(4)]
        await Gate(tmp_path, "only-runs").opened()
        os.kill(victim, signal.SIGKILL)
        results = await asyncio.gather(*(handle.result() for handle in handles))
        last = await app.start()  # is executed by the replacement, however many were hired
        while len(Journal(tmp_path).lines) < 2:
            await asyncio.sleep(0.01)
        await last.cancel()
        await last.result()
    assert [result.failures["only"].code for result in results] == ["STAGE-OUTCOME-UNKNOWN"] * 4
    setups = [line for line in Journal(tmp_path).lines if line.startswith("setup")]
    assert setups[0] == f"setup {victim}"
    assert len(setups) == 2


async def test_lost_supervisor_fails_its_runs_with_a_code_and_takes_its_stages_along(tmp_path):
    pipeline = Pipeline("tea").with_stage("only", WaitForever, config={"folder": tmp_path})
    app = await RayRuntime().deploy(pipeline).open()
    described = await app.describe()
    handle = await app.start()
    await Gate(tmp_path, "only-runs").opened()
    os.kill(described["supervisor_pid"], signal.SIGKILL)
    result = await handle.result()
    assert (result.status, result.stage) == (RunStatus.FAILED, "<supervisor>")
    failure = result.failures["<supervisor>"]
    assert isinstance(failure.original, SupervisorLostError)
    assert failure.code == "SUPERVISOR-LOST"
    await gone(described["stages"][0]["pid"])
    await app.close()


async def test_lost_supervisor_is_named_by_descriptions_and_replaced_for_the_next_run():
    async with RayRuntime().deploy(three_stages()) as app:
        lost = (await app.describe())["supervisor_pid"]
        os.kill(lost, signal.SIGKILL)
        with pytest.raises(SupervisorLostError):
            await app.describe()
        results = await asyncio.gather(*(app.run() for _ in range(3)))
        assert [len(each) for each in results] == [3, 3, 3]
        assert (await app.describe())["supervisor_pid"] != lost


async def test_process_that_dies_in_setup_fails_the_deployment():
    with pytest.raises(DeploymentError, match="died") as raised:
        await RayRuntime().deploy(Pipeline().with_stage("mortal", DieInSetup)).open()
    assert raised.value.stage == "mortal"


async def test_closing_kills_a_stage_that_does_not_stop_and_its_run_still_gets_a_verdict(tmp_path):
    runtime = RayRuntime(settings=Settings(stop_timeout_s=0.5))
    pipeline = (
        Pipeline()
        .with_stage("first", ok, StageKind.WORK)
        .with_stage("deaf", Deaf, dependencies="first", config={"folder": tmp_path})
    )
    app = await runtime.deploy(pipeline).open()
    described = await app.describe()
    handle = await app.start()
    await Gate(tmp_path, "deaf-runs").opened()
    await app.close()
    result = await handle.result()
    assert Journal(tmp_path).lines == ["told to stop"]
    assert (result.status, result.reason) == ("cancelled", "the deployment was closed")
    assert result.cancelled["deaf"].started
    assert result.cancelled["deaf"].reason.startswith("the deployment was closed; it did not stop")
    assert list(result.outputs) == ["first"]
    for stage in described["stages"]:
        await gone(stage["pid"])


async def test_run_cancelled_while_its_stage_is_being_replaced_starts_no_body(tmp_path):
    pipeline = Pipeline().with_stage("only", SlowToComeBack, config={"folder": tmp_path})
    async with RayRuntime().deploy(pipeline) as app:
        first = await app.start()
        await Gate(tmp_path, "only-runs").opened()
        os.kill((await app.describe())["stages"][0]["pid"], signal.SIGKILL)
        await first.result()
        second = await app.start()
        async for event in second.events():
            if event.type == "stage.only.started":
                await second.cancel("not any more")
        result = await second.result()  # though the replacement is not there yet
        assert result.status is RunStatus.CANCELLED
        Gate(tmp_path, "come-back").open()
        third = await app.start()
        await third.cancel()
        await third.result()
    cleaned = [line for line in Journal(tmp_path).lines if "cleaned up" in line]
    assert len(cleaned) <= 1  # at most the third one had begun
