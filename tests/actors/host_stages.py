"""The stages of ``test_hosts.py``. Their processes load this, and no test."""

from __future__ import annotations

import asyncio
import ctypes
import os

from stageflow_actors import StageKind
from tests.conformance.crossing import Gate, Journal


class Noting:
    """Writes down its setup and teardown; waits in a run that is for it, as the gate says."""

    kind = StageKind.WORK

    def __init__(self, folder, name, fails=False):
        self.folder, self.name, self.fails = folder, name, fails

    async def setup(self):
        if self.fails:
            raise LookupError("no model")
        Journal(self.folder).write(f"up {self.name} {os.getpid()}")

    async def execute(self, ctx):
        if ctx.snapshot.input_text == self.name:
            Gate(self.folder, f"{self.name}-runs").open()
            await Gate(self.folder, "go-on").opened()
        return {self.name: [*ctx.inputs.get("read", []), self.name], "pid": os.getpid()}

    async def teardown(self):
        if self.name == "d":  # the last one, which all others have to wait for
            await asyncio.sleep(0.02)
        Journal(self.folder).write(f"down {self.name} {os.getpid()}")


class CountsGpus:
    """Asks the driver of the GPUs how many there are."""

    kind = StageKind.WORK

    def execute(self, ctx):
        cuda = ctypes.CDLL("libcuda.so.1")
        count = ctypes.c_int(0)
        is_there = cuda.cuInit(0) == 0 and cuda.cuDeviceGetCount(ctypes.byref(count)) == 0
        return {"count": count.value if is_there else 0}
