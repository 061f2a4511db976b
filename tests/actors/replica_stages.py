"""The stages of ``test_replicas.py``. Their processes load this, and no test."""

from __future__ import annotations

import asyncio
import os

from stageflow_actors import StageKind
from tests.conformance.crossing import Gate, Journal


class Noting:
    """Writes down which run begins where, and its teardown; waits for the gate of its run."""

    kind = StageKind.WORK

    def __init__(self, folder):
        self.folder = folder

    async def execute(self, ctx):
        text = ctx.snapshot.input_text
        if text == "retire":
            ctx.retire()
        Journal(self.folder).write(f"{text} in {os.getpid()}")
        await Gate(self.folder, text).opened()
        return {"pid": os.getpid()}

    async def teardown(self):
        Journal(self.folder).write(f"torn down {os.getpid()}")


class OneByOne:
    """Short, and knows how many of it there were at the same time in its process."""

    kind = StageKind.WORK

    def __init__(self):
        self.now = self.most = 0

    async def execute(self, ctx):
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.002)
        self.now -= 1
        return {"pid": os.getpid(), "most": self.most}


class Reader(Noting):
    """Lives with the one that it reads from, and is to be torn down before it."""

    async def execute(self, ctx):
        return {"read": ctx.inputs.get("pid")}

    async def teardown(self):
        await asyncio.sleep(0.01)
        Journal(self.folder).write(f"reader torn down {os.getpid()}")


class SlowToCome(Noting):
    """Whoever comes after the first ones is set up when the test says so."""

    async def setup(self):
        if Gate(self.folder, "late").is_open:
            Gate(self.folder, "coming").open()
            await Gate(self.folder, "come").opened()
            Journal(self.folder).write(f"set up {os.getpid()}")
