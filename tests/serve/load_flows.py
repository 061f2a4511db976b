"""Pipelines for many clients at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

from stageflow_actors import Pipeline
from stageflow_actors.serving import OpenAIModel, ServedPipeline

PIECE = 16 * 2**10
PIECES = 256
"""4 MiB a run: more than a socket holds, more than an answer may have."""
TOLD = 8


class Floods:
    """Streams as fast as it may."""

    async def execute(self, ctx):
        for _ in range(PIECES):
            await ctx.stream.send("x" * PIECE)
        return {}


class Drips:
    """Streams a little, again and again, until it is stopped."""

    async def execute(self, ctx):
        while True:
            await ctx.stream.send("drip")
            await asyncio.sleep(0.2)


class Counts:
    """Takes a moment; a longer one, if it shall note that it was executed."""

    async def execute(self, ctx):
        if ctx.snapshot.input_text:
            noted = Path(ctx.snapshot.input_text)
            with noted.open("a") as file:  # noqa: ASYNC230 - one short append
                file.write("x")
            await asyncio.sleep(0.3)
        await asyncio.sleep(0.02)
        return {"noted": ctx.snapshot.input_text}


class First:
    """Tells which version it is, in each piece and in the end."""

    version = "first"

    async def execute(self, ctx):
        for _ in range(TOLD):
            await ctx.stream.send(self.version)
            await asyncio.sleep(0.01)
        return {"version": self.version}


class Second(First):
    version = "second"


flooding = Pipeline("flooding").with_stage("flood", Floods, "work")
dripping = ServedPipeline(
    Pipeline("dripping").with_stage("drip", Drips, "agent"), openai=OpenAIModel(chat="drip.text")
)
counting = Pipeline("counting").with_stage("count", Counts, "work")
first = Pipeline("telling").with_stage("tell", First, "work")
second = Pipeline("telling").with_stage("tell", Second, "work")
