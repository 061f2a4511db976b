"""The stages of ``test_stats.py``. Their processes load this, and no test."""

from __future__ import annotations

import asyncio
import os
from uuid import uuid4

from stageflow_actors import StageOutput
from tests.conformance.crossing import Gate, Journal


class Hold:
    """Waits for ``go``; one that is told to retires."""

    kind = "work"

    def __init__(self, folder):
        self.folder = folder

    async def execute(self, ctx):
        if ctx.snapshot.input_text == "retire":
            ctx.retire()
        await Gate(self.folder, "go").opened()
        return {"text": ctx.snapshot.input_text}


class Embed:
    """Takes batches and notes their sizes. ``hold`` never ends, ``bad`` fails all that are with it,
    ``first`` waits for ``go``, and ``retire`` retires.
    """

    kind = "work"

    def __init__(self, folder):
        self.folder = folder
        self.name = f"{uuid4()} in {os.getpid()}"

    async def execute_batch(self, ctxs):
        Journal(self.folder).write(str(len(ctxs)))
        named = {ctx.snapshot.input_text: ctx for ctx in ctxs}
        if "hold" in named:
            await asyncio.Event().wait()
        if "first" in named:
            await Gate(self.folder, "go").opened()
        if "bad" in named:
            raise ValueError("one of these is bad")
        if "retire" in named:
            named["retire"].retire()
        return [StageOutput.ok(name=self.name) for _ctx in ctxs]


class Deaf:
    """Blocks a thread until ``go``, and hears of no stop; one that is not ``deaf`` does neither."""

    kind = "work"

    def __init__(self, folder):
        self.folder = folder

    def execute(self, ctx):
        if ctx.snapshot.input_text == "deaf":
            Gate(self.folder, "go").wait()
        return {}
