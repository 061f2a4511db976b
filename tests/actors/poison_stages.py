"""The stages of ``test_poison_runs.py``. Their processes load this, and no test."""

from __future__ import annotations

import asyncio
import os
import signal

from tests.conformance.crossing import Gate
from tests.conformance.timeout_missions import InFolder

INNOCENTS = ["one", "other"]


class Cell(InFolder):
    """A poison that kills its process once all innocents are in it, and these, who wait there.

    When an innocent is tried alone, it comes to its end.
    """

    async def execute(self, ctx):
        who, attempt = ctx.snapshot.input_text, ctx.attempt
        self.write(f"{who} {attempt} {os.getpid()}")
        Gate(self.folder, f"{who}-{attempt}").open()
        if who == "poison":
            beside = INNOCENTS if attempt <= 3 else ["bystander"]
            number = attempt if attempt <= 3 else "done"
            for name in beside:
                await Gate(self.folder, f"{name}-{number}").opened()
            os.kill(os.getpid(), signal.SIGKILL)
        if who in INNOCENTS and attempt <= 3:
            await asyncio.Event().wait()
        return {"pid": os.getpid()}
