"""The stages of ``test_far_outputs.py``. Their processes load this, and no test."""

from __future__ import annotations

import numpy as np

from stageflow_actors import StageKind, StageOutput

MIB = 2**20
TEXT = "text, and no array. " * 20_000


async def make(ctx):
    """An array of as many MiB as the input says."""
    count = int(float(ctx.snapshot.input_text) * MIB)
    return {"array": np.arange(count // 8, dtype=np.float64)}


async def turn(ctx):
    array = ctx.inputs.get("array")
    return {"array": array[::-1], "could_write": array.flags.writeable}


async def add_up(ctx):
    return {"sum": float(ctx.inputs.get("array").sum())}


class Reads:
    """Fails when it reads for the first time; then tells what it has read."""

    kind = StageKind.WORK

    async def execute(self, ctx):
        if ctx.attempt == 1:
            raise ConnectionError("not yet")
        return {"read": ctx.inputs.get("text") == TEXT, "attempt": ctx.attempt}


async def says(ctx):
    return {"text": TEXT}


async def drafts(ctx):
    """A text; the second one is the same, and what the guard has said of the first."""
    told = None if ctx.feedback is None else ctx.feedback.data["marked"]
    return {"draft": TEXT, "told": told}


async def marks(ctx):
    draft = ctx.inputs.get("draft")
    return StageOutput.ok() if ctx.inputs.get("told") else StageOutput.fail("no", {"marked": draft})


async def asks(ctx):
    child = await ctx.spawn("says")
    return {"child": child.outputs["says"].data["text"], "status": child.status}
