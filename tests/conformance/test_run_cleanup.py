"""``on_cleanup`` of a run: in the caller's process, after the verdict, before ``result()``."""

from __future__ import annotations

import asyncio
import functools
import os
import threading

import pytest

from stageflow_actors import (
    CleanupClosedError,
    CleanupFailure,
    Pipeline,
    PipelineContext,
    RayRuntime,
    RunStatus,
    Settings,
    StageExecutionError,
    StageKind,
    StageLostError,
)
from tests.conformance.crossing import Gate, Journal
from tests.conformance.run_cleanup_stages import Finish
from tests.conformance.stages import After, WaitForever, ok


def finishing(folder, **options):
    return Pipeline("finishing").with_stage("s", Finish, config={"folder": folder}, **options)


async def test_cleanups_of_a_run_are_called_newest_first_in_the_process_of_the_caller(
    runtime, tmp_path
):
    here, called = (os.getpid(), threading.get_ident()), []

    def note(name):
        called.append(name)
        assert (os.getpid(), threading.get_ident()) == here

    async def last():
        await asyncio.sleep(0)
        note("handle, async")

    ctx = PipelineContext.create(input_text="ok")
    ctx.on_cleanup(functools.partial(note, "context, first"))
    ctx.on_cleanup(functools.partial(note, "context, second"))
    async with runtime.deploy(finishing(tmp_path)) as app:
        handle = await app.start(ctx)
        handle.on_cleanup(functools.partial(note, "handle"))
        handle.on_cleanup(last)
        result = await handle.result()
        assert called == ["handle, async", "handle", "context, second", "context, first"]
        await handle.result()
    assert len(called) == 4
    assert result.cleanup_failures == ()


async def test_cleanups_of_a_run_come_after_its_verdict_and_before_its_result(runtime, tmp_path):
    journal, may_end = Journal(tmp_path), asyncio.Event()
    pipeline = Pipeline().with_stage("waiter", WaitForever, config={"folder": tmp_path})

    async def clean():
        journal.write("clean")
        await may_end.wait()
        journal.write("cleaned")

    async with runtime.deploy(pipeline) as app:
        handle = await app.start()
        handle.on_cleanup(clean)
        await Gate(tmp_path, "waiter-runs").opened()
        await handle.cancel("enough")
        while "clean" not in journal.lines:
            await asyncio.sleep(0.005)
        assert not handle.is_done
        may_end.set()
        await handle.result()
        journal.write("result")
    assert journal.lines == ["waiter cleaned up", "clean", "cleaned", "result"]


async def test_cleanups_of_a_run_are_called_once_however_it_ends(runtime, tmp_path, enough_s):
    called, ended = [], []

    async def play(app, how, cancel=None):
        ctx = PipelineContext.create(input_text=how)
        ctx.on_cleanup(functools.partial(called.append, how))
        if cancel == "before":
            ctx.mark_cancelled("enough")
        handle = await app.start(ctx)
        if cancel == "meanwhile":
            await Gate(tmp_path, "runs").opened()
            await handle.cancel("enough")
        ended.append((await handle.result()).status)

    async with runtime.deploy(finishing(tmp_path)) as app:
        for how in ("ok", "raise", "cancel"):
            await play(app, how)
        await play(app, "never", "before")
        await play(app, "wait", "meanwhile")
    async with runtime.deploy(finishing(tmp_path, timeout=enough_s)) as app:
        await play(app, "wait")
    assert called == ["ok", "raise", "cancel", "never", "wait", "wait"]
    assert ended == ["ok", "failed", "cancelled", "cancelled", "cancelled", "timed_out"]


async def test_cleanups_of_a_run_are_called_when_its_deployment_closes(runtime, tmp_path):
    called = []
    app = await runtime.deploy(finishing(tmp_path)).open()
    handle = await app.start(input_text="wait")
    handle.on_cleanup(lambda: called.append("handle"))
    await Gate(tmp_path, "runs").opened()
    await app.close()
    assert (await handle.result()).status is RunStatus.CANCELLED
    assert called == ["handle"]


async def test_cancelled_caller_gets_its_cancel_after_the_cleanups(runtime, tmp_path):
    called, ctx = [], PipelineContext.create(input_text="wait")

    async def clean():
        await asyncio.sleep(0)
        called.append("context")

    ctx.on_cleanup(clean)
    async with runtime.deploy(finishing(tmp_path)) as app:
        caller = asyncio.ensure_future(app.run(ctx))
        await Gate(tmp_path, "runs").opened()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert called == ["context"]


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
async def test_cleanups_of_a_run_are_called_when_the_process_of_a_stage_dies(tmp_path):
    called, ctx = [], PipelineContext.create(input_text="die")
    ctx.on_cleanup(lambda: called.append("context"))
    async with RayRuntime().deploy(finishing(tmp_path)) as app:
        result = await (await app.start(ctx)).result()
    assert isinstance(result.failures["s"].original, StageLostError)
    assert called == ["context"]


async def test_context_of_two_runs_gives_each_its_own_cleanups(runtime, tmp_path):
    called, ctx = [], PipelineContext.create()
    pipeline = Pipeline().with_stage(
        "s", After, config={"folder": tmp_path, "gate": "go", "then": "ok"}
    )
    async with runtime.deploy(pipeline) as app:
        ctx.on_cleanup(lambda: called.append("first"))
        first = await app.start(ctx)
        ctx.on_cleanup(lambda: called.append("second"))
        second = await app.start(ctx)
        second.on_cleanup(lambda: called.append("second's own"))
        third = await app.start(ctx)
        for other in (second, third):
            await other.cancel("only this one")
            await other.result()
            assert called == ["second's own", "second"]
        Gate(tmp_path, "go").open()
        await first.result()
    assert called == ["second's own", "second", "first"]


def spill():
    raise OSError("disk full")


async def stay():
    await asyncio.Event().wait()


async def test_cleanup_of_a_run_that_fails_is_reported_without_a_stage(runtime, tmp_path):
    called = []
    hasty = type(runtime)(settings=Settings(cleanup_timeout_s=0.2))
    async with hasty.deploy(finishing(tmp_path)) as app:
        handle = await app.start(input_text="ok")
        for cleanup in (lambda: called.append("first"), stay, spill):
            handle.on_cleanup(cleanup)
        result = await handle.result()
    assert result.ok
    assert called == ["first"]
    assert result.cleanup_failures == (
        CleanupFailure(None, "spill", "OSError", "disk full"),
        CleanupFailure(None, "stay", "TimeoutError", "not done within 0.2 s"),
    )


async def test_cleanup_of_a_run_that_has_ended_is_refused(runtime, tmp_path):
    called = []
    async with runtime.deploy(finishing(tmp_path)) as app:
        handle = await app.start(input_text="ok")
        with pytest.raises(TypeError, match="'close it'"):
            handle.on_cleanup("close it")
        await handle.result()
        with pytest.raises(CleanupClosedError) as raised:
            handle.on_cleanup(lambda: called.append("too late"))
    assert raised.value.code == "CLEANUP-CLOSED"
    assert called == []


async def test_cleanups_of_a_run_without_a_deployment_are_called(runtime):
    called = []

    def failing(ctx):
        raise ValueError("broken")

    async with runtime:
        for body in (ok, failing):
            ctx = PipelineContext.create()
            ctx.on_cleanup(functools.partial(called.append, body.__name__))
            ctx.on_cleanup(spill)
            pipeline = Pipeline().with_stage("s", body, StageKind.WORK)
            if body is ok:
                await pipeline.run(ctx, runtime=runtime)
                continue
            with pytest.raises(StageExecutionError) as raised:
                await pipeline.run(ctx, runtime=runtime)
    assert called == ["ok", "failing"]
    [failure] = raised.value.result.cleanup_failures
    assert failure == CleanupFailure(None, "spill", "OSError", "disk full")
