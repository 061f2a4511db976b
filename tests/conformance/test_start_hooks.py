"""``before_stage_start`` hooks run where the run was started, before each stage of it starts."""

import asyncio
import os

from stageflow_actors import (
    Pipeline,
    PipelineContext,
    RetryPolicy,
    Settings,
    StageCancellationRequested,
    StageKind,
    StageOutput,
)
from tests.conformance.crossing import Journal


class Works:
    kind = StageKind.WORK

    def __init__(self, folder):
        self.folder = folder

    async def execute(self, ctx):
        Journal(self.folder).write(ctx.stage_name)
        return {"pid": os.getpid()}


class Flaky(Works):
    async def execute(self, ctx):
        if ctx.attempt == 1:
            raise ConnectionError("not yet")
        return await super().execute(ctx)


async def skips(ctx):
    return StageOutput.skip("nothing to do")


def chain(folder, **options):
    config = {"folder": folder}
    return (
        Pipeline()
        .with_stage("first", Works, config=config)
        .with_stage("second", Works, dependencies="first", config=config, **options)
    )


def impatient(runtime):
    """A runtime of the same kind, which leaves a hook little time once its run is over."""
    return type(runtime)(settings=Settings(cleanup_timeout_s=0.2))


def hooked(hook):
    ctx = PipelineContext()
    ctx.add_before_stage_start_hook(hook)
    return ctx


async def test_hook_is_called_here_before_each_stage_in_order(run, tmp_path):
    told = []

    def hook(stage, kind, context):
        told.append((stage, kind, list(Journal(tmp_path).lines), os.getpid(), context))

    ctx = hooked(hook)
    assert (await run(chain(tmp_path), ctx)).ok
    assert [(stage, kind, lines) for stage, kind, lines, _pid, _context in told] == [
        ("first", StageKind.WORK, []),
        ("second", StageKind.WORK, ["first"]),
    ]
    assert {pid for *_, pid, _context in told} == {os.getpid()}
    assert {context.pipeline_run_id for *_, context in told} == {ctx.pipeline_run_id}


async def test_stage_waits_for_an_async_hook(run, tmp_path):
    async def hook(stage, kind, context):
        for _ in range(5):
            await asyncio.sleep(0)
            assert stage not in Journal(tmp_path).lines

    assert (await run(chain(tmp_path), hooked(hook))).ok
    assert Journal(tmp_path).lines == ["first", "second"]


async def test_hook_hears_of_a_stage_that_is_skipped(run, tmp_path):
    told = []
    pipeline = (
        Pipeline()
        .with_stage("skips", skips, StageKind.WORK)
        .with_stage(
            "spared", Works, dependencies="skips", conditional=True, config={"folder": tmp_path}
        )
        .with_stage("last", Works, dependencies="spared", config={"folder": tmp_path})
    )
    assert (await run(pipeline, hooked(lambda stage, kind, context: told.append(stage)))).ok
    assert told == ["skips", "spared", "last"]
    assert Journal(tmp_path).lines == ["last"]


async def test_hook_is_called_before_a_retry_too(run, tmp_path):
    told = []
    policy = RetryPolicy(initial_delay_s=0.0)
    pipeline = Pipeline().with_stage("flaky", Flaky, config={"folder": tmp_path}, retry=policy)
    assert (await run(pipeline, hooked(lambda stage, kind, context: told.append(stage)))).ok
    assert told == ["flaky", "flaky"]


async def test_hook_that_raises_fails_its_stage_and_nothing_else(run, tmp_path):
    def hook(stage, kind, context):
        if stage == "second":
            raise KeyError("no")

    result = await run(chain(tmp_path), hooked(hook))
    assert (result.status, result.stage) == ("failed", "second")
    assert isinstance(result.failures["second"].original, KeyError)
    assert list(result.outputs) == Journal(tmp_path).lines == ["first"]


async def test_hook_can_cancel_the_run(run, tmp_path):
    def hook(stage, kind, context):
        if stage == "second":
            raise StageCancellationRequested("quota")

    result = await run(chain(tmp_path), hooked(hook))
    assert (result.status, result.stage, result.reason) == ("cancelled", "second", "quota")
    assert Journal(tmp_path).lines == ["first"]


async def test_run_can_be_cancelled_while_a_hook_takes_its_time(runtime, tmp_path):
    asked = asyncio.Event()

    async def hook(stage, kind, context):
        asked.set()
        await asyncio.Event().wait()

    async with impatient(runtime).deploy(chain(tmp_path)) as app:
        handle = await app.start(hooked(hook))
        await asked.wait()
        await handle.cancel("enough")
        result = await handle.result()
    assert (result.status, result.reason) == ("cancelled", "enough")
    assert Journal(tmp_path).lines == []


async def test_stage_whose_hook_takes_too_long_has_timed_out(runtime, tmp_path):
    async def hook(stage, kind, context):
        if stage == "second":
            await asyncio.Event().wait()

    async with impatient(runtime).deploy(chain(tmp_path, timeout=0.2)) as app:
        result = await (await app.start(hooked(hook))).result()
    assert (result.status, result.stage) == ("timed_out", "second")
    assert Journal(tmp_path).lines == ["first"]
