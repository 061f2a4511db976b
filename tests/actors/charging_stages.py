"""The stages of ``test_supervisor_loss.py``. Their processes load this, and no test."""

from __future__ import annotations

import asyncio
import os

from tests.conformance.timeout_missions import InFolder


class KeepsCharging(InFolder):
    """Charges again and again, under its key, where the input says so."""

    async def execute(self, ctx):
        while ctx.snapshot.input_text == "charge":
            self.write(ctx.effect_key)
            self.tell(ctx)
            await asyncio.sleep(0.001)
        return {"pid": os.getpid()}


class HasOneCharge:
    """Waits for a child run of the pipeline that it is configured with."""

    def __init__(self, below):
        self._below = below

    async def execute(self, ctx):
        child = await ctx.spawn(self._below, ctx.snapshot.input_text)
        return {"child": child.status.value}
