"""The stages of ``test_order.py``. Their processes load this, and no test."""

from __future__ import annotations

from stageflow_actors import StageKind
from tests.conformance.crossing import Gate, Journal


class Meet:
    """Ends only when all of ``others`` run too: proof that they run at the same time."""

    kind = StageKind.WORK

    def __init__(self, folder, others):
        self.folder = folder
        self.others = others

    async def execute(self, ctx):
        Gate(self.folder, ctx.stage_name).open()
        for other in self.others:
            await Gate(self.folder, other).opened()
        Journal(self.folder).write(ctx.stage_name)


class BlockingMeet(Meet):
    def execute(self, ctx):
        Gate(self.folder, ctx.stage_name).open()
        for other in self.others:
            Gate(self.folder, other).wait()


class Write:
    kind = StageKind.WORK

    def __init__(self, folder):
        self.folder = folder

    async def execute(self, ctx):
        Journal(self.folder).write(ctx.stage_name)


class Own:
    """Tells concurrent runs apart: each waits for all before it answers with its own text."""

    kind = StageKind.WORK

    def __init__(self, folder, runs):
        self.folder = folder
        self.runs = runs

    async def execute(self, ctx):
        text = ctx.snapshot.input_text
        Gate(self.folder, text).open()
        for other in self.runs:
            await Gate(self.folder, other).opened()
        return {"text": text, "run": str(ctx.pipeline_run_id)}


async def read_own(ctx):
    return {"text": ctx.inputs.get("text"), "run": ctx.inputs.get("run")}
