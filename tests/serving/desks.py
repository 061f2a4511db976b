"""Desks of two versions of a pipeline, side by side in one process, and what is asked of them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

from stageflow_actors import LocalRuntime, Pipeline
from stageflow_actors.model.streaming import Audience
from stageflow_actors.serving import ServedPipeline
from stageflow_actors.serving.bodies import RunBody
from stageflow_actors.serving.callers import Caller
from stageflow_actors.serving.desk import BATCH_BYTES, Reading, RunKey, RunOrder
from stageflow_actors.serving.run_desks import run_desks

TENANT = "acme"


class Gate:
    """What the stage waits at; ``executions`` has the input of each execution."""

    def __init__(self):
        self.executions = []
        self.opened = asyncio.Event()

    async def execute(self, ctx):
        self.executions.append(ctx.snapshot.input_text)
        await ctx.stream.send("begun")
        if ctx.snapshot.input_text != "quick":
            await self.opened.wait()
        await ctx.stream.send("passed")
        return {}

    def pipeline(self):
        return ServedPipeline(Pipeline("gated").with_stage("wait", self.execute, "work"))


@asynccontextmanager
async def desk_of(gate, settings):
    """A desk; at the end of the block its pipeline is closed, and the desk can still be asked."""
    async with (
        LocalRuntime() as runtime,
        run_desks({"gated": gate.pipeline()}, runtime, settings) as desks,
    ):
        yield desks["gated"]


def order(text="quick", key=None, **terms):
    """A run that is asked for, of the same request for one key."""
    run_key = None if key is None else RunKey(key, text.encode())
    return RunOrder(Caller(TENANT), RunBody(input_text=text), key=run_key, **terms)


def reading(shown, after=0, wait_s=0.0, max_bytes=BATCH_BYTES):
    audiences = frozenset({Audience.USER})
    return Reading(str(shown.run_id), TENANT, after, audiences, max_bytes, wait_s)


async def rest(desk, shown, after=0):
    """The numbers and types of all that follows, to the end of the run."""
    told, is_over = [], False
    while not is_over:
        found = await desk.read(reading(shown, after, wait_s=30.0))
        told += [(each.number, each.type) for each in found.entries]
        after, is_over = found.after, found.is_over
    return told


class LateHandle:
    """A run that tells its events only when it may; ``asked`` once somebody wants them."""

    def __init__(self, behind, may, asked):
        self._behind = behind
        self._may = may
        self._asked = asked

    def __getattr__(self, name):
        return getattr(self._behind, name)

    async def events(self):
        self._asked.set()
        await self._may.wait()
        async for event in self._behind.events():
            yield event


class Late:
    """A deployment of such runs."""

    def __init__(self, behind, may):
        self._behind = behind
        self._may = may
        self.asked = asyncio.Event()

    async def start(self, context):
        return LateHandle(await self._behind.start(context), self._may, self.asked)
