"""The stages of ``test_stop_order.py``. Their processes load this, and no test."""

from __future__ import annotations

import asyncio

from stageflow_actors import StageKind
from tests.conformance.crossing import Journal


class Closing:
    """Takes its time to stop, and writes down when it has; ``hangs`` never does."""

    kind = StageKind.WORK

    def __init__(self, folder, name, hangs=False):
        self.folder, self.name, self.hangs = folder, name, hangs

    async def execute(self, ctx):
        return None

    async def teardown(self):
        if self.hangs:
            Journal(self.folder).write(f"{self.name} hangs")
            await asyncio.Event().wait()
        for _turn in range(20):
            await asyncio.sleep(0.001)
        Journal(self.folder).write(self.name)
