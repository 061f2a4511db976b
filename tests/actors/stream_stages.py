"""The stages of ``test_streams.py``. Their processes load this, and no test."""

from __future__ import annotations

import os
import signal

from stageflow_actors import StageKind
from tests.conformance.crossing import Gate


class DiesAtFirst:
    """Streams a word, and is killed in its first attempt once that was heard."""

    kind = StageKind.AGENT

    def __init__(self, folder):
        self.folder = folder

    async def execute(self, ctx):
        await ctx.stream.send(f"attempt {ctx.attempt}")
        if ctx.attempt == 1:
            await Gate(self.folder, "heard").opened()
            os.kill(os.getpid(), signal.SIGKILL)
        await ctx.stream.send("done")
        return {}
