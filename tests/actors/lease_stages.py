"""The stages of ``test_leases.py``. Their processes load this, and no test."""

from __future__ import annotations

import asyncio
import os
import signal

from stageflow_actors import StageKind
from tests.conformance.crossing import Gate, Journal


class Link:
    """Writes down that it is executed; the input says which stage does what besides, once."""

    kind = StageKind.WORK

    def __init__(self, folder):
        self.folder = folder
        self.journal = Journal(folder)

    async def execute(self, ctx):
        name = ctx.stage_name
        self.journal.write(name)
        whose, _space, what = (ctx.snapshot.input_text or "").partition(" ")
        if whose == name and what == "retires":
            ctx.retire()
        elif whose == name and self.journal.lines.count(name) == 1:
            await self.misbehave(name, what)
        read = {each: output.data["by"] for each, output in ctx.inputs.outputs.items()}
        return {"by": name, "read": read}

    async def misbehave(self, name, what):
        if what == "fails":
            raise ConnectionError("not there")
        if what == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        Gate(self.folder, f"{name} holds").open()
        try:
            await Gate(self.folder, "go-on").opened()
        finally:
            self.journal.write(f"{name} over")


class Twin:
    """Two that end together, so many turns of the loop after each other; ``d`` works on after them.

    They begin to end when the process has told everything else.
    """

    kind = StageKind.WORK
    go = None

    async def execute(self, ctx):
        if ctx.stage_name == "b":
            Twin.go = asyncio.Event()
            await Twin.go.wait()
        elif ctx.stage_name == "c":
            await asyncio.sleep(0.05)
            Twin.go.set()
            for _turn in range(int(ctx.snapshot.input_text)):
                await asyncio.sleep(0)
        elif ctx.stage_name == "d":
            await asyncio.sleep(0.05)
        return {}
