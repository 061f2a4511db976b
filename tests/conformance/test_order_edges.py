"""Stages ``after_any`` others: they run when those have ended, however they ended."""

from __future__ import annotations

import asyncio

import pytest

from stageflow_actors import (
    Pipeline,
    RunStatus,
    StageKind,
    UndeclaredDependencyError,
)
from tests.conformance.crossing import Gate, Journal
from tests.conformance.order_edges_stages import Finish, Note
from tests.conformance.stages import After, WaitForever, ok


def finalized(folder):
    """``close`` runs after ``work`` however it ends, ``next`` only if it goes well."""
    note = {"folder": folder}
    return (
        Pipeline("finalized")
        .with_stage("work", Finish)
        .with_stage("next", Note, after="work", config=note)
        .with_stage("close", Note, after_any="work", config=note)
    )


async def play(runtime, pipeline, *texts):
    """The results of one run per text, one after the other."""
    async with runtime.deploy(pipeline) as app:
        return [await (await app.start(input_text=text)).result() for text in texts]


async def test_stage_after_any_runs_after_ok_and_skip_like_every_other(runtime, tmp_path):
    results = await play(runtime, finalized(tmp_path), "ok", "skip")
    assert [result.status for result in results] == ["ok", "ok"]
    ran = ["ok: close", "ok: next", "skip: close", "skip: next"]
    assert sorted(Journal(tmp_path).lines) == ran


async def test_stage_after_any_runs_after_a_failure_and_the_verdict_stays(runtime, tmp_path):
    raised, failed = await play(runtime, finalized(tmp_path), "raise", "fail")
    assert Journal(tmp_path).lines == ["raise: close", "fail: close"]
    assert (raised.status, raised.stage, raised.reason) == ("failed", "work", "work raised")
    assert (failed.status, failed.stage, failed.reason) == ("failed", "work", "work failed")
    for result in (raised, failed):
        assert list(result.failures) == ["work"]
        assert result.outputs["close"].data == {"saw": []}
        assert not result.cancelled["next"].started


async def test_stage_after_any_runs_after_a_timeout_once_the_late_stage_has_ended(
    run, tmp_path, enough_s
):
    note = {"folder": tmp_path}
    pipeline = (
        Pipeline()
        .with_stage("late", WaitForever, config=note, timeout=enough_s)
        .with_stage("close", Note, after_any="late", config=note)
    )
    result = await run(pipeline, input_text="run")
    assert Journal(tmp_path).lines == ["late cleaned up", "run: close"]
    assert (result.status, result.stage) == (RunStatus.TIMED_OUT, "late")
    assert result.reason == f"Stage timed out after {enough_s * 1000:.0f}ms"
    assert list(result.outputs) == ["close"]


async def test_stage_after_any_does_not_run_after_a_cancel_by_a_stage(runtime, tmp_path):
    [result] = await play(runtime, finalized(tmp_path), "cancel")
    assert Journal(tmp_path).lines == []
    assert (result.status, result.stage) == (RunStatus.CANCELLED, "work")
    assert not result.cancelled["close"].started


async def test_stage_after_any_does_not_run_after_a_cancel_from_outside(runtime, tmp_path):
    note = {"folder": tmp_path}
    pipeline = (
        Pipeline()
        .with_stage("waiter", WaitForever, config=note)
        .with_stage("close", Note, after_any="waiter", config=note)
    )
    async with runtime.deploy(pipeline) as app:
        handle = await app.start(input_text="run")
        await Gate(tmp_path, "waiter-runs").opened()
        await handle.cancel("enough")
        result = await handle.result()
    assert Journal(tmp_path).lines == ["waiter cleaned up"]
    assert (result.status, result.reason) == (RunStatus.CANCELLED, "enough")
    assert not result.cancelled["close"].started


async def test_stage_after_any_waits_for_those_that_are_stopped_and_not_for_those_that_never_start(
    run, tmp_path
):
    note = {"folder": tmp_path}
    pipeline = (
        Pipeline()
        .with_stage("waiter", WaitForever, config=note)
        .with_stage("bad", After, config={**note, "gate": "waiter-runs", "then": "raise"})
        .with_stage("never", ok, StageKind.WORK, dependencies="bad")
        .with_stage("close", Note, after_any=("bad", "waiter", "never"), config=note)
    )
    result = await run(pipeline, input_text="run")
    assert Journal(tmp_path).lines == ["waiter cleaned up", "run: close"]
    assert {name: each.started for name, each in result.cancelled.items()} == {
        "waiter": True,
        "never": False,
    }


async def test_stages_after_any_run_in_order_and_read_only_what_they_depend_on(runtime, tmp_path):
    note = {"folder": tmp_path}
    pipeline = (
        Pipeline()
        .with_stage("first", ok, StageKind.WORK)
        .with_stage("work", Finish, after="first")
        .with_stage("late", Note, after_any="early", config=note)
        .with_stage("early", Note, after_any="work", dependencies="first", config=note)
        .with_stage("needy", Note, after_any="first", dependencies="work", config=note)
    )
    [result] = await play(runtime, pipeline, "raise")
    assert Journal(tmp_path).lines == ["raise: early", "raise: late"]
    assert result.outputs["early"].data == {"saw": ["first"]}
    assert result.outputs["late"].data == {"saw": []}
    assert list(result.cancelled) == ["needy"]


async def test_reading_what_only_has_to_end_before_says_how_to_get_its_data(runtime):
    async def read(ctx):
        return {
            "has": ctx.inputs.has_output("work"),
            "n": ctx.inputs.get("n", "nothing"),
            "more": ctx.inputs.get_from("work", "n"),
        }

    async def look(ctx):
        return {"has": ctx.inputs.has_output("work"), "n": ctx.inputs.get("n", "nothing")}

    pipeline = (
        Pipeline()
        .with_stage("work", Finish)
        .with_stage("look", look, StageKind.WORK, after_any="work")
        .with_stage("read", read, StageKind.WORK, after_any=("work", "look"))
    )
    for result in await play(runtime, pipeline, "ok", "raise"):
        assert result.outputs["look"].data == {"has": False, "n": "nothing"}
        error = result.failures["read"].original
        assert isinstance(error, UndeclaredDependencyError)
        assert error.code == "INPUT-UNDECLARED"
        assert "which only comes before it" in error.message
        assert error.hint == "Move 'work' from after= to dependencies= of 'read'."


async def test_failure_after_a_failure_is_attached_and_does_not_decide(runtime, tmp_path):
    async def spill(ctx):
        raise OSError("disk full")

    pipeline = finalized(tmp_path).with_stage("spill", spill, StageKind.WORK, after_any="work")
    [result] = await play(runtime, pipeline, "raise")
    assert (result.status, result.stage, result.reason) == ("failed", "work", "work raised")
    assert list(result.failures) == ["work", "spill"]
    assert isinstance(result.failures["spill"].original, OSError)
    assert Journal(tmp_path).lines == ["raise: close"]


async def test_stage_after_any_has_its_own_timeout_and_the_verdict_stays(run, tmp_path, enough_s):
    here = {"folder": tmp_path}
    pipeline = (
        Pipeline()
        .with_stage("work", Finish)
        .with_stage("close", WaitForever, after_any="work", timeout=enough_s, config=here)
    )
    result = await run(pipeline, input_text="raise")
    assert Journal(tmp_path).lines == ["close cleaned up"]
    assert (result.status, result.stage) == (RunStatus.FAILED, "work")
    assert result.failures["close"].code == "STAGE-TIMEOUT"


@pytest.mark.parametrize("how", ["handle", "close"])
async def test_cancel_from_outside_interrupts_what_runs_after_a_failure_and_starts_no_more(
    runtime, tmp_path, how
):
    folder = {"folder": tmp_path}
    pipeline = (
        Pipeline()
        .with_stage("work", Finish)
        .with_stage("close", WaitForever, after_any="work", config=folder)
        .with_stage("last", Note, after_any="close", config=folder)
    )
    async with runtime.deploy(pipeline) as app:
        handle = await app.start(input_text="raise")
        await Gate(tmp_path, "close-runs").opened()
        if how == "handle":
            assert await handle.cancel("enough")
        else:
            await app.close()
        result = await asyncio.wait_for(handle.result(), 30)
    assert Journal(tmp_path).lines == ["close cleaned up"]
    assert (result.status, result.stage, result.reason) == ("failed", "work", "work raised")
    assert {name: each.started for name, each in result.cancelled.items()} == {
        "close": True,
        "last": False,
    }


async def test_stage_after_any_that_runs_already_goes_on_when_another_stage_fails(
    runtime, tmp_path
):
    folder = {"folder": tmp_path}
    pipeline = (
        Pipeline()
        .with_stage("first", ok, StageKind.WORK)
        .with_stage(
            "close", After, after_any="first", config={**folder, "gate": "go", "then": "ok"}
        )
        .with_stage("bad", After, config={**folder, "gate": "close-runs", "then": "raise"})
    )
    async with runtime.deploy(pipeline) as app:
        handle = await app.start()
        async for event in handle.events():
            if event.type == "stage.bad.failed":
                Gate(tmp_path, "go").open()
        result = await handle.result()
    assert (result.status, result.stage) == (RunStatus.FAILED, "bad")
    assert result.outputs["close"].data == {"stage": "close"}
    assert not result.cancelled


async def test_verdict_comes_after_what_runs_after_a_failure(runtime, tmp_path):
    note = {"folder": tmp_path}
    pipeline = (
        Pipeline()
        .with_stage("work", Finish)
        .with_stage("close", After, after_any="work", config={**note, "gate": "go", "then": "ok"})
    )
    async with runtime.deploy(pipeline) as app:
        handle = await app.start(input_text="raise")
        events = []
        async for event in handle.events():
            events.append(event.type)
            if event.type == "stage.close.started":
                assert not handle.is_done
                Gate(tmp_path, "go").open()
    assert events[-5:] == [
        "stage.work.failed",
        "stage.error",
        "stage.close.started",
        "stage.close.completed",
        "pipeline.failed",
    ]
