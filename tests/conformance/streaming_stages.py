"""The stages of ``test_streaming.py``. Their processes load this, and no test."""

from __future__ import annotations

import asyncio
import threading

from stageflow_actors import StageKind, StageOutput
from tests.conformance.crossing import Gate

KIB = 2**10


class SaysThenWaits:
    """Streams a word, and ends once the gate is open."""

    kind = StageKind.AGENT

    def __init__(self, folder, word="now"):
        self.folder, self.word = folder, word

    async def execute(self, ctx):
        await ctx.stream.send(self.word)
        await Gate(self.folder, self.word).opened()


async def flood(ctx):
    """Many times what may be on its way."""
    for number in range(20):
        await ctx.stream.send(bytes([number]) * 64 * KIB)
    return {"sent": 20}


def flood_in_thread(ctx):
    for number in range(20):
        ctx.stream.send_blocking(bytes([number]) * 64 * KIB)
    return {"sent": 20}


def flood_on_a_loop_of_its_own(ctx):
    return asyncio.run(flood(ctx))


class FailsAtFirst:
    """Streams a word, fails, and streams another when it runs again."""

    kind = StageKind.AGENT

    async def execute(self, ctx):
        await ctx.stream.send(f"attempt {ctx.attempt}")
        if ctx.attempt == 1:
            return StageOutput.retry("once more")
        return {}


async def unpicklable(ctx):
    await ctx.stream.send(threading.Lock())


async def too_large(ctx):
    await ctx.stream.send(bytes(2**21))


async def for_nobody(ctx):
    await ctx.stream.send("x", audience="everybody")


async def cyclic(ctx):
    data = []
    data.append(data)
    await ctx.stream.send(data)


async def blocks(ctx):
    ctx.stream.send_blocking("x")
