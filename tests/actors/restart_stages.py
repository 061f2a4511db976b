"""The stages of ``test_restarts.py``. Their processes load this, and no test."""

from __future__ import annotations

import os
import signal

from stageflow_actors import StageKind
from tests.conformance.crossing import Gate, Journal


class Ending:
    """Has its process end as the input says."""

    kind = StageKind.WORK

    async def execute(self, ctx):
        if ctx.snapshot.input_text == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if ctx.snapshot.input_text == "retire":
            ctx.retire()
        return {"pid": os.getpid()}


class SlowToComeBack:
    """Whoever comes after the first one is set up when the test says so."""

    kind = StageKind.WORK

    def __init__(self, folder):
        self.folder = folder

    async def setup(self):
        if Gate(self.folder, "killed").is_open:
            Gate(self.folder, "coming-back").open()
            await Gate(self.folder, "come-back").opened()

    async def execute(self, ctx):
        Journal(self.folder).write(ctx.snapshot.input_text)
        return {"pid": os.getpid()}
