"""``ctx.on_cleanup`` in a stage: newest first, each once, however the stage ends."""

from __future__ import annotations

import pytest

from stageflow_actors import (
    Pipeline,
    RunStatus,
    StageKind,
)
from tests.conformance.cleanup_stages import (
    BlockingTidy,
    Database,
    Keep,
    Made,
    Meet,
    Note,
    Slow,
    Tidy,
)
from tests.conformance.crossing import Gate, Journal
from tests.conformance.stages import ok

ENDINGS = {
    "ok": "ok",
    "fail": "failed",
    "raise": "failed",
    "exit": "failed",
    "skip": "ok",
    "cancel": "cancelled",
    "wrong type": "failed",
    "unpicklable": "failed",
    "unmatched": "failed",
    "undecided": "failed",
    "contract": "failed",
}


BOTH = pytest.mark.parametrize("tidy", [Tidy, BlockingTidy], ids=["async", "def"])


@BOTH
async def test_cleanups_run_newest_first_and_once_however_the_stage_ends(runtime, tmp_path, tidy):
    pipeline = (
        Pipeline()
        .with_stage("tidy", tidy, config={"folder": tmp_path}, output_model=Made)
        .with_stage("left", ok, StageKind.WORK, dependencies="tidy", route="left")
    )
    ended = {}
    async with runtime.deploy(pipeline) as app:
        for how in ENDINGS:
            result = await (await app.start(input_text=how)).result()
            ended[how] = result.status
            assert result.cleanup_failures == ()
    assert ended == ENDINGS
    ran = [f"{how}: {which}" for how in ENDINGS for which in ("second", "first")]
    assert Journal(tmp_path).lines == ran


@BOTH
async def test_cleanups_run_once_in_a_stage_that_is_interrupted(runtime, tmp_path, tidy):
    pipeline = Pipeline().with_stage("tidy", tidy, config={"folder": tmp_path})
    async with runtime.deploy(pipeline) as app:
        handle = await app.start(input_text="wait")
        await Gate(tmp_path, "runs").opened()
        await handle.cancel("enough")
        result = await handle.result()
    assert (result.status, result.reason) == (RunStatus.CANCELLED, "enough")
    assert Journal(tmp_path).lines == ["wait: second", "wait: first"]


@BOTH
async def test_cleanups_run_once_in_a_stage_that_is_out_of_time(run, tmp_path, tidy, enough_s):
    here = {"folder": tmp_path}
    pipeline = Pipeline().with_stage("tidy", tidy, config=here, timeout=enough_s)
    result = await run(pipeline, input_text="wait")
    assert result.status is RunStatus.TIMED_OUT
    assert Journal(tmp_path).lines == ["wait: second", "wait: first"]


async def test_cleanup_of_a_plain_def_runs_in_the_thread_of_its_body(run):
    result = await run(Pipeline().with_stage("db", Database))
    assert result.outputs["db"].data == {"n": 42}
    assert [failure.cleanup for failure in result.cleanup_failures] == ["spill"]


async def test_output_is_taken_before_the_cleanups(run):
    async def make(ctx):
        rows = [1]
        ctx.on_cleanup(rows.clear)
        return {"rows": rows}

    def make_blocking(ctx):
        rows = [1]
        ctx.on_cleanup(rows.clear)
        return {"rows": rows}

    pipeline = (
        Pipeline()
        .with_stage("async", make, StageKind.WORK)
        .with_stage("def", make_blocking, StageKind.WORK)
    )
    outputs = (await run(pipeline)).outputs
    assert (outputs["async"].data, outputs["def"].data) == ({"rows": [1]}, {"rows": [1]})


async def test_dependents_and_verdict_come_after_the_cleanups(runtime, tmp_path):
    folder = {"folder": tmp_path}
    pipeline = (
        Pipeline()
        .with_stage("slow", Slow, config=folder)
        .with_stage("next", Note, dependencies="slow", config=folder)
    )
    async with runtime.deploy(pipeline) as app:
        handle = await app.start()
        await Gate(tmp_path, "cleaning").opened()
        assert not handle.is_done
        Gate(tmp_path, "go").open()
        assert (await handle.result()).ok
        Journal(tmp_path).write("verdict")
    assert Journal(tmp_path).lines == ["cleaned", "next", "verdict"]


async def test_runs_at_the_same_time_have_each_their_own_cleanups(runtime, tmp_path):
    async with runtime.deploy(
        Pipeline().with_stage("meet", Meet, config={"folder": tmp_path})
    ) as app:
        first, second = [await app.start(input_text=name) for name in ("first", "second")]
        for name in ("first", "second"):
            await Gate(tmp_path, f"{name}-runs").opened()
        Gate(tmp_path, "second").open()
        await second.result()
        assert Journal(tmp_path).lines == ["second"]
        Gate(tmp_path, "first").open()
        await first.result()
    assert Journal(tmp_path).lines == ["second", "first"]


@pytest.mark.parametrize("is_tidy", [True, False], ids=["some", "none"])
async def test_cleanup_that_comes_after_the_stage_has_ended_is_refused(runtime, tmp_path, is_tidy):
    config = {"folder": tmp_path, "is_tidy": is_tidy}
    async with runtime.deploy(Pipeline().with_stage("keep", Keep, config=config)) as app:
        first = await (await app.start()).result()
        second = await (await app.start()).result()
    assert first.ok
    assert second.failures["keep"].code == "CLEANUP-CLOSED"
    assert "partial" in second.failures["keep"].message
    assert Journal(tmp_path).lines == ["in time"] * (2 * is_tidy)


async def test_cleanup_may_register_another_which_comes_next(run, tmp_path):
    write = Journal(tmp_path).write

    async def register(ctx):
        def again():
            write("second")
            ctx.on_cleanup(lambda: write("third"))

        ctx.on_cleanup(lambda: write("first"))
        ctx.on_cleanup(again)

    result = await run(Pipeline().with_stage("s", register, StageKind.WORK))
    assert result.cleanup_failures == ()
    assert Journal(tmp_path).lines == ["second", "third", "first"]


async def test_cleanup_that_cannot_be_called_is_refused_where_it_is_registered(run):
    async def register(ctx):
        ctx.on_cleanup("close it")

    failure = (await run(Pipeline().with_stage("s", register, StageKind.WORK))).failures["s"]
    assert type(failure.original) is TypeError
    assert "'close it'" in failure.message
