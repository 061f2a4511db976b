"""The stages of ``test_retirement.py``. Their processes load this, and no test."""

from __future__ import annotations

import asyncio
import os

from stageflow_actors import StageKind
from tests.conformance.crossing import Gate, Journal


class Retiring:
    """Retires when the input says so; ``long`` waits for the test. Then its teardown is slow."""

    kind = StageKind.WORK

    def __init__(self, folder):
        self.folder = folder
        self.teardown_s = 0.0

    async def execute(self, ctx):
        if ctx.snapshot.input_text == "retire":
            ctx.retire()
            self.teardown_s = 1.0
        if ctx.snapshot.input_text == "long":
            Gate(self.folder, "long-runs").open()
            await Gate(self.folder, "go-on").opened()
        return {"pid": os.getpid()}

    async def teardown(self):
        await asyncio.sleep(self.teardown_s)
        Journal(self.folder).write(f"torn down {os.getpid()}")
