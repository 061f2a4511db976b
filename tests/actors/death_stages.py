"""The stages of ``test_deaths.py``. Their processes load this, and no test."""

from __future__ import annotations

import asyncio
import os
import signal

from stageflow_actors import StageKind
from tests.conformance.crossing import Gate, Journal
from tests.conformance.stages import WaitForever


class Counting:
    kind = StageKind.WORK

    def __init__(self, folder):
        self.folder = folder

    async def setup(self):
        Journal(self.folder).write(f"setup {os.getpid()}")

    async def execute(self, ctx):
        if ctx.snapshot.input_text == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        return {"pid": os.getpid()}


class WaitAndTell(WaitForever):
    async def setup(self):
        Journal(self.folder).write(f"setup {os.getpid()}")


class DieInSetup:
    kind = StageKind.WORK

    async def setup(self):
        os.kill(os.getpid(), signal.SIGKILL)

    async def execute(self, ctx):
        return None


class Deaf:
    """Does not stop when told to."""

    kind = StageKind.WORK

    def __init__(self, folder):
        self.folder = folder

    async def execute(self, ctx):
        Gate(self.folder, "deaf-runs").open()
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                Journal(self.folder).write("told to stop")


class SlowToComeBack(WaitForever):
    async def setup(self):
        if Gate(self.folder, "only-runs").is_open:  # the replacement
            await Gate(self.folder, "come-back").opened()
