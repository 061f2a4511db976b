"""Each fault in the process of a stage, and what the run then says."""

from __future__ import annotations

import asyncio

import pytest

from stageflow_actors import (
    ExecutionConfig,
    ExecutionMode,
    Pipeline,
    Placement,
    RayRuntime,
    RunStatus,
    Settings,
    StageKind,
    StageOutput,
    Timeouts,
)
from stageflow_actors.testing import (
    Block,
    Exit,
    Hang,
    MemoryLimit,
    Raise,
    Sigkill,
    Sigstop,
    Slow,
    StopLoop,
    faulty,
)
from tests.actors.watching import gone
from tests.chaos.suffering import FORMS, quiet
from tests.conformance.crossing import Journal

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_session")]

STAY = {
    "raises": (Raise(KeyError("on purpose")), None, "STAGE-RAISED"),
    "hangs": (Hang(), 0.3, "STAGE-TIMEOUT"),
    "is slow": (Slow(0.01), None, None),
    "has no memory": (MemoryLimit(), None, "STAGE-RAISED"),
}
"""What a process survives: the fault, the time limit of the stage, and the code of its failure."""
DIE = {
    "exits": (Exit(3), None, "STAGE-OUTCOME-UNKNOWN"),
    "is killed": (Sigkill(), None, "STAGE-OUTCOME-UNKNOWN"),
    "blocks": (Block(600), 0.3, "STAGE-TIMEOUT"),
    "is stopped": (Sigstop(), 0.3, "STAGE-TIMEOUT"),
    "has no loop": (StopLoop(), 0.3, "STAGE-TIMEOUT"),
}
"""What it dies of, by itself or by the runtime."""
TOGETHER = {name: Placement(share="one") for name in ("raises", "hangs", "is slow")}
"""Those that harm nobody beside them."""


async def pids_of(app):
    return {stage["name"]: stage["pid"] for stage in (await app.describe())["stages"]}


@pytest.mark.parametrize("faults", [STAY, DIE], ids=["survived", "deadly"])
async def test_each_fault_fires_once_and_the_run_says_what_it_was(faults, ledger):
    pipeline = Pipeline()
    for name, (fault, timeout, _code) in faults.items():
        runner = faulty(quiet, fault, ledger=ledger, times=1)
        limits = Timeouts(attempt=timeout)
        place = TOGETHER.get(name)
        pipeline = pipeline.with_stage(
            name, runner, StageKind.WORK, timeout=limits, placement=place
        )
    tolerant = ExecutionConfig(ExecutionMode.CONTINUE_ON_ERROR)
    runtime = RayRuntime(settings=Settings(stop_timeout_s=0.5))
    async with runtime.deploy(pipeline.build(execution=tolerant)) as app:
        before = await pids_of(app)
        result = await (await app.start()).result()
        for name, (fault, _timeout, code) in faults.items():
            assert ledger.fired(type(fault), name) == 1
            assert code == (result.failures[name].code if name in result.failures else None)
        struck = {record.stage: record.pid for record in ledger.records()}
        assert struck == before
        again = await (await app.start()).result()  # every stage works, whoever died of it
        assert set(again.outputs) == set(faults)
        after = await pids_of(app)
    assert {name for name in before if after[name] != before[name]} == (
        set(faults) if faults is DIE else set()
    )
    if faults is DIE:
        await asyncio.gather(*(gone(pid) for pid in before.values()))


async def test_what_dies_the_first_time_is_repeated_where_that_does_no_harm(ledger):
    runner = faulty(quiet, Sigkill(), ledger=ledger, times=2)
    pipeline = Pipeline().with_stage("only", runner, StageKind.WORK, effects="none")
    async with RayRuntime().deploy(pipeline) as app:
        result = await (await app.start()).result()
    assert (result.status, result.attempts["only"]) == (RunStatus.OK, 3)
    assert [record.attempt for record in ledger.records()] == [1, 2]
    assert len({record.pid for record in ledger.records()}) == 2


async def test_a_poisoned_input_kills_and_another_does_not(ledger):
    def is_poison(ctx):
        return ctx.snapshot.input_text == "poison"

    pipeline = Pipeline().with_stage(
        "only", faulty(quiet, Exit(), ledger=ledger, when=is_poison), StageKind.WORK
    )
    async with RayRuntime().deploy(pipeline) as app:
        texts = ("bread", "poison", "bread")
        runs = [await (await app.start(input_text=text)).result() for text in texts]
    assert [run.status for run in runs] == [RunStatus.OK, RunStatus.FAILED, RunStatus.OK]
    (record,) = ledger.records()
    assert record.run_id == str(runs[1].pipeline_run_id)


async def test_runners_of_each_form_die_after_their_work_and_are_themselves_again(ledger, tmp_path):
    pipeline = Pipeline()
    folders = {form: tmp_path / form for form in ("plain class", "instance", "callable", "partial")}
    for form, folder in folders.items():
        folder.mkdir()
        runner, options = FORMS[form](folder)
        struck = faulty(runner, Sigkill(), ledger=ledger, after=True, times=1)
        pipeline = pipeline.with_stage(form, struck, StageKind.WORK, effects="none", **options)
    async with RayRuntime().deploy(pipeline) as app:
        result = await (await app.start()).result()
    assert result.status is RunStatus.OK, result.failures
    for form, folder in folders.items():
        assert result.outputs[form].data == StageOutput.ok(stage=form).data
        assert ledger.fired(Sigkill, form) == 1
        has_hooks = form != "partial"
        lines = ["setup", "body", "setup", "body", "teardown"] if has_hooks else ["body", "body"]
        assert Journal(folder).lines == lines
