"""A process that lives and does nothing any more: found out without any time limit, and ended."""

from __future__ import annotations

import asyncio

import pytest

from stageflow_actors import (
    ExecutionConfig,
    ExecutionMode,
    Pipeline,
    RayRuntime,
    RunStatus,
    Settings,
    StageKind,
)
from stageflow_actors.testing import Block, FaultLedger, Sigstop, StopLoop, faulty
from tests.actors.heartbeat_stages import block_a_thread, turn_slowly
from tests.actors.watching import gone, pids_in
from tests.chaos.suffering import quiet

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_session")]

QUICK = Settings(heartbeat_interval_s=0.1, heartbeat_timeout_s=2.0)
FOR_EVER_S = 600
FAULTS = {"blocked": Block(FOR_EVER_S), "stopped loop": StopLoop(), "stopped process": Sigstop()}
UNKNOWN = {"all": set(FAULTS), "none": set(), "one": {"blocked"}}
"""Those of which nobody knows whether they may be repeated."""


@pytest.fixture
def ledger(tmp_path):
    return FaultLedger(tmp_path / "faults.jsonl")


@pytest.mark.parametrize(
    "unknown",
    ["one", *(pytest.param(each, marks=pytest.mark.stress) for each in ("all", "none"))],
)
async def test_a_process_that_does_not_answer_is_ended_and_what_it_did_is_lost(unknown, ledger):
    pipeline = Pipeline()
    for name, fault in FAULTS.items():
        runner = faulty(quiet, fault, ledger=ledger, times=1)
        effects = "unknown" if name in UNKNOWN[unknown] else "none"
        pipeline = pipeline.with_stage(name, runner, StageKind.WORK, effects=effects)
    tolerant = ExecutionConfig(ExecutionMode.CONTINUE_ON_ERROR)
    async with RayRuntime(settings=QUICK).deploy(pipeline.build(execution=tolerant)) as app:
        before = pids_in(await app.describe())
        result = await (await app.start()).result()
        told = await app.describe()
        assert {record.stage: record.pid for record in ledger.records()} == before
        deaths = {
            death["stage"]: (death["pid"], death["why"]) for death in told["restarts"]["deaths"]
        }
        why = "its event loop did not turn for 2 s"
        assert deaths == {name: (pid, why) for name, pid in before.items()}
        await asyncio.gather(*(gone(pid) for pid in before.values()))
    assert result.attempts == {name: 1 if name in UNKNOWN[unknown] else 2 for name in FAULTS}
    codes = {name: failure.code for name, failure in result.failures.items()}
    assert codes == dict.fromkeys(UNKNOWN[unknown], "STAGE-OUTCOME-UNKNOWN")
    assert all("did not turn" in failure.message for failure in result.failures.values())
    assert set(result.outputs) == set(FAULTS) - UNKNOWN[unknown]


async def test_a_loop_that_turns_slowly_and_a_thread_that_is_busy_are_left_alone():
    pipeline = (
        Pipeline()
        .with_stage("slow", turn_slowly, StageKind.WORK)
        .with_stage("thread", block_a_thread, StageKind.WORK)
    )
    async with RayRuntime(settings=QUICK).deploy(pipeline) as app:
        before = pids_in(await app.describe())
        result = await (await app.start()).result()
        told = await app.describe()
    assert result.status is RunStatus.OK, result.failures
    assert (pids_in(told), told["restarts"]["deaths"]) == (before, [])
