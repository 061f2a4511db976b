"""The stages of ``test_run_cleanup.py``. Their processes load this, and no test."""

from __future__ import annotations

import asyncio
import os
import signal

from stageflow_actors import StageKind, StageOutput
from tests.conformance.crossing import Gate


class Finish:
    """Ends as the text of the run says."""

    kind = StageKind.WORK

    def __init__(self, folder):
        self.folder = folder

    async def execute(self, ctx):
        how = ctx.snapshot.input_text
        if how == "wait":
            Gate(self.folder, "runs").open()
            await asyncio.Event().wait()
        if how == "raise":
            raise ValueError("broken")
        if how == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        return StageOutput.cancel("enough") if how == "cancel" else StageOutput.ok()
