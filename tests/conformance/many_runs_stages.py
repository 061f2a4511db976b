"""The stages of ``test_many_runs.py``. Their processes load this, and no test."""

from __future__ import annotations

import asyncio

from stageflow_actors import StageKind


async def first(ctx):
    return {"text": ctx.snapshot.input_text}


async def passed_on(ctx):
    return {"text": ctx.inputs.get("text")}


class WriteOn:
    """Writes to a file of its run for as long as it lives, and a last time when it is stopped."""

    kind = StageKind.WORK

    def __init__(self, folder):
        self.folder = folder

    async def execute(self, ctx):
        with (self.folder / f"{ctx.snapshot.input_text}.log").open("a", buffering=1) as file:
            try:
                while True:
                    file.write(f"{ctx.stage_name}\n")
                    await asyncio.sleep(0)
            finally:
                await asyncio.sleep(0)
                file.write(f"{ctx.stage_name} ended\n")
