"""``concurrency=`` of a stage: so many executions at a time in one process, the others wait."""

from __future__ import annotations

import asyncio
import threading
import time

from stageflow_actors import Pipeline, RunStatus
from tests.conformance.crossing import Gate, Journal

LIMIT = 2


class Short:
    """Says how many were here at once; so short that a process is sent more than it may execute."""

    kind = "work"

    def __init__(self):
        self.here = 0

    async def execute(self, ctx):
        self.here += 1
        at_once = self.here
        await asyncio.sleep(0.001)
        self.here -= 1
        return {"at_once": at_once}


class ShortInThread(Short):
    """The same in a plain ``def``."""

    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()

    def execute(self, ctx):
        with self.lock:
            self.here += 1
            at_once = self.here
        time.sleep(0.001)
        with self.lock:
            self.here -= 1
        return {"at_once": at_once}


class Hold:
    """Writes its text; one that is to hold waits to be let go, and writes that it was."""

    kind = "work"

    def __init__(self, folder):
        self.folder = folder

    async def execute(self, ctx):
        text = ctx.snapshot.input_text
        Journal(self.folder).write(text)
        if text.startswith("hold"):
            try:
                await Gate(self.folder, "go").opened()
            finally:
                Journal(self.folder).write(f"{text} ends")
        return {}


def one_at_a_time(folder, **options):
    """A pipeline whose only stage is executed once at a time."""
    return Pipeline().with_stage("hold", Hold, config={"folder": folder}, concurrency=1, **options)


async def started(app, *names, **parts):
    return [await app.start(input_text=name, **parts) for name in names]


async def results(handles):
    return await asyncio.gather(*(handle.result() for handle in handles))


async def begun(folder, count):
    while len(Journal(folder).lines) < count:
        await asyncio.sleep(0.002)


async def test_so_many_are_executed_at_once_in_a_process_and_no_more(runtime):
    pipeline = (
        Pipeline()
        .with_stage("short", Short, concurrency=LIMIT)
        .with_stage("thread", ShortInThread, concurrency=LIMIT)
        .with_stage("free", Short)
    )
    async with runtime.deploy(pipeline) as app:
        for _again in range(3):  # what is known to be short is sent ahead
            ended = await results([await app.start() for _ in range(40)])
            assert all(result.ok for result in ended)
    most = {
        stage: max(result.outputs[stage].data["at_once"] for result in ended)
        for stage in ("short", "thread", "free")
    }
    assert most["short"] == LIMIT
    assert most["thread"] <= LIMIT
    assert most["free"] > LIMIT


async def test_those_that_wait_go_in_order_and_one_that_is_cancelled_never_begins(
    runtime, tmp_path
):
    async with runtime.deploy(one_at_a_time(tmp_path)) as app:
        handles = await started(app, "hold")
        await begun(tmp_path, 1)
        handles += await started(app, "background", priority="background")
        handles += await started(app, "a", "b")
        (unwanted,) = await started(app, "unwanted")
        await unwanted.cancel("not needed")
        result = await unwanted.result()
        assert (result.status, result.reason) == (RunStatus.CANCELLED, "not needed")
        Gate(tmp_path, "go").open()
        assert all(result.ok for result in await results(handles))
    assert Journal(tmp_path).lines == ["hold", "hold ends", "a", "b", "background"]


async def test_the_time_of_a_stage_does_not_count_while_it_waits(runtime, tmp_path, enough_s):
    async with runtime.deploy(one_at_a_time(tmp_path, timeout=enough_s)) as app:
        # Each of the first two holds the place until its own time is up.
        ended = await results(await started(app, "hold1", "hold2", "last"))
    assert [result.status for result in ended] == [
        RunStatus.TIMED_OUT,
        RunStatus.TIMED_OUT,
        RunStatus.OK,
    ]
    assert Journal(tmp_path).lines == ["hold1", "hold1 ends", "hold2", "hold2 ends", "last"]
