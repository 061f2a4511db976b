"""Restarting does not help: the supervisor gives up, says why, and is deployed anew."""

from __future__ import annotations

import os
import signal

import pytest

from stageflow_actors import Pipeline, Placement, RayRuntime, RunStatus, Settings, StageKind
from stageflow_actors.errors import EscalationError
from stageflow_actors.testing import FaultLedger, Sigkill, faulty
from tests.actors.watching import described, gone, pid_of, pids_in, replaced
from tests.chaos.suffering import quiet
from tests.conformance.crossing import Gate, Journal
from tests.conformance.stages import After, ok

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_session")]

ONCE = Settings(restart_intensity=1)
SUPERVISOR = "<supervisor>"


def waiting(folder, name):
    """Its second stage waits for the gate of that name; its third one is idle until then."""
    config = {"folder": folder, "gate": name, "then": "ok"}
    shared = Placement(share="one")
    return (
        Pipeline(name)
        .with_stage("first", ok, StageKind.WORK, placement=shared)
        .with_stage("waits", After, dependencies="first", config=config, placement=shared)
        .with_stage("idle", quiet, StageKind.WORK, dependencies="waits")
    )


async def test_too_many_idle_deaths_end_the_runs_of_their_deployment_and_no_others(tmp_path):
    runtime = RayRuntime(settings=ONCE)
    beside_folder = tmp_path / "beside"
    beside_folder.mkdir()
    async with (
        runtime.deploy(waiting(tmp_path, "go-on")) as app,
        runtime.deploy(waiting(beside_folder, "go-on")) as beside,
    ):
        unaffected = await beside.start()
        runs = [await app.start() for _ in range(2)]
        await Gate(tmp_path, "waits-runs").opened()
        first = await pid_of(app, "idle")
        os.kill(first, signal.SIGKILL)
        told = await replaced(app, "idle", first)
        os.kill(pids_in(told)["idle"], signal.SIGKILL)
        for result in [await run.result() for run in runs]:
            assert (result.status, result.stage) == (RunStatus.FAILED, SUPERVISOR)
            failure = result.failures[SUPERVISOR]
            assert failure.code == "SUPERVISION-ESCALATED"
            assert isinstance(failure.original, EscalationError)
            assert "'idle' died twice within 30 s" in failure.message
            assert "restart_intensity=1" in failure.message
            assert list(result.outputs) == ["first"]
            assert set(result.cancelled) == {"waits", "idle"}
        Gate(tmp_path, "go-on").open()
        again = await (await app.start()).result()
        assert (again.status, len(again.outputs)) == (RunStatus.OK, 3)
        described_anew = await app.describe()
        assert described_anew["supervisor_pid"] != told["supervisor_pid"]
        assert described_anew["restarts"]["deaths"] == []
        for pid in pids_in(told).values():
            await gone(pid)
        Gate(beside_folder, "go-on").open()
        assert (await unaffected.result()).status is RunStatus.OK
        assert (await beside.describe())["restarts"]["deaths"] == []


class Unlicensed:
    """Can be set up until the gate ``broken`` is open, which it opens when it dies."""

    kind = StageKind.WORK

    def __init__(self, folder):
        self.folder = folder

    async def setup(self):
        Journal(self.folder).write("setup")
        if Gate(self.folder, "broken").is_open:
            raise RuntimeError("no licence any more")

    async def execute(self, ctx):
        if ctx.snapshot.input_text == "die":
            Gate(self.folder, "broken").open()
            os.kill(os.getpid(), signal.SIGKILL)


async def test_a_stage_that_cannot_be_set_up_again_is_given_up_with_the_cause(tmp_path):
    pipeline = Pipeline().with_stage(
        "only", Unlicensed, effects="none", config={"folder": tmp_path}
    )
    async with RayRuntime(settings=ONCE).deploy(pipeline) as app:
        result = await (await app.start(input_text="die")).result()
    assert result.failures[SUPERVISOR].code == "SUPERVISION-ESCALATED"
    assert "no licence any more" in result.failures[SUPERVISOR].message
    assert result.cancelled["only"].started
    assert len(Journal(tmp_path).lines) == 1 + 2  # once, and restart_intensity + 1 times


async def test_deaths_of_processes_that_work_or_have_worked_are_not_charged_to_the_deployment(
    tmp_path,
):
    ledger = FaultLedger(tmp_path / "faults.jsonl")
    runner = faulty(quiet, Sigkill(), ledger=ledger, times=2)
    pipeline = Pipeline().with_stage("only", runner, StageKind.WORK, effects="none")
    async with RayRuntime(settings=Settings(restart_intensity=0)).deploy(pipeline) as app:
        result = await (await app.start()).result()
        has_worked = await pid_of(app, "only")
        os.kill(has_worked, signal.SIGKILL)
        told = await replaced(app, "only", has_worked)
        again = await (await app.start()).result()
    assert (result.status, result.attempts) == (RunStatus.OK, {"only": 3})
    assert [death["pid"] for death in told["restarts"]["deaths"]] == [
        *(record.pid for record in ledger.records()),
        has_worked,
    ]
    assert again.status is RunStatus.OK


async def test_an_escalation_without_runs_costs_one_run_at_most():
    pipeline = Pipeline().with_stage("only", quiet, StageKind.WORK)
    async with RayRuntime(settings=Settings(restart_intensity=0)).deploy(pipeline) as app:
        os.kill(await pid_of(app, "only"), signal.SIGKILL)
        await described(app, lambda told: told["restarts"]["deaths"])
        results = [await (await app.start()).result() for _ in range(2)]
    if results[0].status is not RunStatus.OK:
        assert results[0].failures[SUPERVISOR].code == "SUPERVISION-ESCALATED"
    assert results[1].status is RunStatus.OK


class Held:
    """Has something that only its teardown gives back."""

    kind = StageKind.WORK

    def __init__(self, folder):
        self.folder = folder

    async def execute(self, ctx):
        return None

    async def teardown(self):
        Journal(self.folder).write("given back")


async def test_the_healthy_stages_of_one_that_gave_up_are_torn_down(tmp_path):
    pipeline = (
        Pipeline()
        .with_stage("mortal", quiet, StageKind.WORK)
        .with_stage("held", Held, config={"folder": tmp_path})
    )
    async with RayRuntime(settings=Settings(restart_intensity=0)).deploy(pipeline) as app:
        supervisors = {(await app.describe())["supervisor_pid"]}
        os.kill(await pid_of(app, "mortal"), signal.SIGKILL)
        await described(app, lambda told: told["restarts"]["deaths"])
        await (await app.start()).result()
        supervisors.add((await app.describe())["supervisor_pid"])
    assert Journal(tmp_path).lines == ["given back"] * len(supervisors)
