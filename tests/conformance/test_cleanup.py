"""``ctx.on_cleanup`` in a stage: newest first, each once, however the stage ends."""

from __future__ import annotations

import asyncio
import functools
import sqlite3
import threading

import pytest
from pydantic import BaseModel

from stageflow_actors import (
    Pipeline,
    RoutingDecision,
    RunStatus,
    StageKind,
    StageOutput,
)
from tests.conformance.crossing import Gate, Journal
from tests.conformance.stages import ok


def ending(how, ctx):
    """Ends as ``how`` says; one that waits to be stopped does so in its own way."""
    if how == "raise":
        raise ValueError("broken")
    if how == "exit":
        raise SystemExit(3)
    return {
        "ok": StageOutput.ok(route=RoutingDecision("left")),
        "fail": StageOutput.fail("broken"),
        "skip": StageOutput.skip("nothing to do"),
        "cancel": StageOutput.cancel("enough"),
        "wrong type": 5,
        "unpicklable": {"lock": threading.Lock(), "route": RoutingDecision("left")},
        "unmatched": RoutingDecision("nowhere"),
        "undecided": {"n": 1},
        "contract": {"n": "many", "route": RoutingDecision("left")},
    }[how]


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


class Made(BaseModel):
    n: int = 0


class Tidy:
    """Registers two cleanups, one of each sort, and ends as the text of the run says."""

    kind = StageKind.WORK

    def __init__(self, folder):
        self.folder = folder

    def register(self, ctx):
        how = ctx.snapshot.input_text

        async def second():
            await asyncio.sleep(0)
            Journal(self.folder).write(f"{how}: second")

        ctx.on_cleanup(functools.partial(Journal(self.folder).write, f"{how}: first"))
        ctx.on_cleanup(second)
        return how

    async def execute(self, ctx):
        how = self.register(ctx)
        if how == "wait":
            Gate(self.folder, "runs").open()
            await asyncio.Event().wait()
        return ending(how, ctx)


class BlockingTidy(Tidy):
    def execute(self, ctx):
        how = self.register(ctx)
        if how == "wait":
            Gate(self.folder, "runs").open()
            while not ctx.is_cancelled:
                Gate(self.folder, "runs").wait()
            ctx.raise_if_cancelled()
        return ending(how, ctx)


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
async def test_cleanups_run_once_in_a_stage_that_is_out_of_time(run, tmp_path, tidy):
    pipeline = Pipeline().with_stage("tidy", tidy, config={"folder": tmp_path}, timeout=1)
    result = await run(pipeline, input_text="wait")
    assert result.status is RunStatus.TIMED_OUT
    assert Journal(tmp_path).lines == ["wait: second", "wait: first"]


def spill():
    raise OSError("disk full")


class Database:
    """Opens a connection, which only the thread that opened it may use or close."""

    kind = StageKind.WORK

    def execute(self, ctx):
        connection = sqlite3.connect(":memory:")
        ctx.on_cleanup(connection.close)
        ctx.on_cleanup(spill)
        return {"n": connection.execute("select 41 + 1").fetchone()[0]}


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


class Slow:
    """Ends at once; its cleanup waits for a gate."""

    kind = StageKind.WORK

    def __init__(self, folder):
        self.folder = folder

    async def execute(self, ctx):
        ctx.on_cleanup(self.clean)

    async def clean(self):
        Gate(self.folder, "cleaning").open()
        await Gate(self.folder, "go").opened()
        Journal(self.folder).write("cleaned")


class Note(Slow):
    async def execute(self, ctx):
        Journal(self.folder).write(ctx.stage_name)


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


class Meet:
    """Registers, meets the other run, then ends when its own gate opens."""

    kind = StageKind.WORK

    def __init__(self, folder):
        self.folder = folder

    async def execute(self, ctx):
        name = ctx.snapshot.input_text
        ctx.on_cleanup(functools.partial(Journal(self.folder).write, name))
        Gate(self.folder, f"{name}-runs").open()
        await Gate(self.folder, name).opened()


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


class Keep:
    """Keeps its context, and registers on the last one what comes too late."""

    kind = StageKind.WORK

    def __init__(self, folder, is_tidy):
        self.folder = folder
        self.is_tidy = is_tidy
        self.former = None

    async def execute(self, ctx):
        if self.is_tidy:
            ctx.on_cleanup(functools.partial(Journal(self.folder).write, "in time"))
        former, self.former = self.former, ctx
        if former is not None:
            former.on_cleanup(functools.partial(Journal(self.folder).write, "too late"))


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
