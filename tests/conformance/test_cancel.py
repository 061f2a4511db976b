"""A run is cancelled: by a stage, from outside, before it starts, or with its caller."""

from __future__ import annotations

import asyncio
import enum

import pytest

from stageflow_actors import (
    LocalRuntime,
    Pipeline,
    PipelineCancelled,
    PipelineContext,
    RunStatus,
    StageKind,
    StageOutput,
)
from tests.conformance.crossing import Gate, Journal
from tests.conformance.stages import After, FinishOnStop, WaitForever, ok


async def started(folder, stage="waiter"):
    await Gate(folder, f"{stage}-runs").opened()


def waiting(folder):
    return (
        Pipeline("waiting")
        .with_stage("first", ok, StageKind.WORK)
        .with_stage("waiter", WaitForever, dependencies="first", config={"folder": folder})
    )


async def test_stage_that_cancels_ends_the_run_with_its_reason_and_all_finished_outputs(
    runtime, tmp_path
):
    pipeline = (
        Pipeline()
        .with_stage("first", ok, StageKind.WORK)
        .with_stage("waiter", WaitForever, dependencies="first", config={"folder": tmp_path})
        .with_stage(
            "stopper",
            After,
            dependencies="first",
            config={"folder": tmp_path, "gate": "waiter-runs", "then": "cancel"},
        )
    )
    async with runtime.deploy(pipeline) as app:
        with pytest.raises(PipelineCancelled) as raised:
            await app.run()
    error = raised.value
    assert (error.stage, error.reason) == ("stopper", "stopper cancelled")
    assert list(error.results) == ["first", "stopper"]
    assert error.results["stopper"].data["cancel_reason"] == error.reason
    assert Journal(tmp_path).lines == ["waiter cleaned up"]


async def test_sibling_that_finishes_during_a_cancel_is_kept(run, tmp_path):
    pipeline = (
        Pipeline()
        .with_stage("stubborn", FinishOnStop, config={"folder": tmp_path})
        .with_stage(
            "stopper",
            After,
            config={"folder": tmp_path, "gate": "stubborn-runs", "then": "cancel"},
        )
    )
    result = await run(pipeline)
    assert result.status is RunStatus.CANCELLED
    assert set(result.outputs) == {"stopper", "stubborn"}


async def test_context_cancelled_before_the_run_starts_no_stage(runtime, tmp_path):
    ctx = PipelineContext.create(input_text="x")
    ctx.mark_cancelled("pre")
    async with runtime.deploy(waiting(tmp_path)) as app:
        with pytest.raises(PipelineCancelled) as raised:
            await app.run(ctx)
    assert (raised.value.stage, raised.value.reason) == ("<external>", "pre")
    assert not raised.value.results
    assert not Gate(tmp_path, "waiter-runs").is_open
    assert set(raised.value.result.cancelled) == {"first", "waiter"}


async def test_cancel_from_outside_stops_the_running_last_stage_at_once(runtime, tmp_path):
    ctx = PipelineContext.create()
    async with runtime.deploy(waiting(tmp_path)) as app:
        handle = await app.start(ctx)
        await started(tmp_path)
        ctx.mark_cancelled("changed my mind")
        result = await handle.result()
    assert (result.status, result.stage) == (RunStatus.CANCELLED, "<external>")
    assert result.reason == "changed my mind"
    assert Journal(tmp_path).lines == ["waiter cleaned up"]
    assert list(result.outputs) == ["first"]
    assert result.cancelled["waiter"].started


async def test_cancel_during_the_last_stage_cancels_even_if_that_stage_finishes(runtime, tmp_path):
    pipeline = Pipeline().with_stage("last", FinishOnStop, config={"folder": tmp_path})
    async with runtime.deploy(pipeline) as app:
        handle = await app.start()
        await started(tmp_path, "last")
        assert await handle.cancel("enough")
        result = await handle.result()
    assert result.status is RunStatus.CANCELLED
    assert result.outputs["last"].data == {"finished": True}


async def test_first_reason_stays(runtime, tmp_path):
    ctx = PipelineContext.create()
    async with runtime.deploy(waiting(tmp_path)) as app:
        handle = await app.start(ctx)
        await started(tmp_path)
        ctx.mark_cancelled("a")
        ctx.mark_cancelled("b")
        assert not await handle.cancel("c")
        assert (await handle.result()).reason == "a"
    assert ctx.cancellation_reason == "a"


async def test_cancelling_an_ended_run_changes_nothing(runtime):
    async with runtime.deploy(Pipeline().with_stage("a", ok, StageKind.WORK)) as app:
        handle = await app.start()
        result = await handle.result()
        assert not await handle.cancel("too late")
        assert (await handle.result()).status is result.status is RunStatus.OK


class AskUntilCancelled:
    """A blocking loop that asks whether to go on, as a plain ``def`` has to."""

    kind = StageKind.WORK

    def __init__(self, folder):
        self.folder = folder

    def execute(self, ctx):
        Gate(self.folder, f"{ctx.stage_name}-runs").open()
        while not ctx.is_cancelled:
            Gate(self.folder, "never").is_open  # noqa: B018 - work of a kind
        ctx.raise_if_cancelled()


class CheckpointAfterCancel:
    kind = StageKind.WORK

    def __init__(self, folder):
        self.folder = folder

    async def execute(self, ctx):
        Gate(self.folder, f"{ctx.stage_name}-runs").open()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await ctx.cancellation_checkpoint()
        return StageOutput.ok()


@pytest.mark.parametrize("stage", [AskUntilCancelled, CheckpointAfterCancel])
async def test_stage_that_answers_a_cancel_is_cancelled_not_failed_and_is_named(
    runtime, tmp_path, stage
):
    pipeline = Pipeline().with_stage("asker", stage, config={"folder": tmp_path})
    async with runtime.deploy(pipeline) as app:
        handle = await app.start()
        await started(tmp_path, "asker")
        await handle.cancel("please")
        result = await handle.result()
    assert (result.status, result.stage, result.reason) == ("cancelled", "asker", "please")
    assert not result.failures


async def test_cancelled_caller_gets_its_cancel_only_after_the_run_has_ended(runtime, tmp_path):
    async with runtime.deploy(waiting(tmp_path)) as app:
        caller = asyncio.ensure_future(app.run())
        await started(tmp_path)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert Journal(tmp_path).lines == ["waiter cleaned up"]


async def test_stage_raising_cancelled_error_by_itself_fails(run):
    async def confused(ctx):
        raise asyncio.CancelledError("my own")

    result = await run(Pipeline().with_stage("only", confused, StageKind.WORK))
    assert result.status is RunStatus.FAILED
    assert isinstance(result.failures["only"].original, asyncio.CancelledError)


async def test_closing_a_deployment_cancels_its_runs_and_waits_for_them(runtime, tmp_path):
    app = await runtime.deploy(waiting(tmp_path)).open()
    handle = await app.start()
    await started(tmp_path)
    await app.close()
    result = await handle.result()
    assert (result.status, result.reason) == ("cancelled", "the deployment was closed")
    assert Journal(tmp_path).lines == ["waiter cleaned up"]


async def wait_for_child(ctx):
    child = Pipeline("child").with_stage("endless", endless, StageKind.WORK)
    try:
        await asyncio.wait_for(child.run(ctx, runtime=LocalRuntime()), 0.05)
    except TimeoutError:
        return {"parent_is_cancelled": ctx.is_cancelled}


async def endless(ctx):
    await asyncio.Event().wait()


async def test_cancelling_a_run_started_by_a_stage_leaves_that_stage_alone(runtime):
    pipeline = Pipeline().with_stage("parent", wait_for_child, StageKind.WORK)
    async with runtime.deploy(pipeline) as app:
        results = await app.run()
    assert results["parent"].data == {"parent_is_cancelled": False}


class Why(enum.StrEnum):
    LATE = "too late"


async def test_reason_of_a_class_of_its_own_arrives_as_plain_text(runtime, tmp_path):
    async with runtime.deploy(waiting(tmp_path)) as app:
        handle = await app.start()
        await started(tmp_path)
        await handle.cancel(Why.LATE)
        result = await handle.result()
    assert result.reason == "too late"
    assert type(result.reason) is str


async def test_stage_that_cancels_its_own_task_and_returns_keeps_its_output(run):
    async def confused(ctx):
        asyncio.current_task().cancel()
        return {"n": 1}

    result = await run(Pipeline().with_stage("only", confused, StageKind.WORK))
    assert result.outputs["only"].data == {"n": 1}
