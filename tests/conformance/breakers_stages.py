"""The stages of ``test_breakers.py``. Their processes load this, and no test."""

from __future__ import annotations

import os
import signal

from stageflow_actors import StageOutput
from tests.conformance.crossing import Gate
from tests.conformance.timeout_missions import InFolder

RAISED = {"connection": ConnectionError, "value": ValueError, "os": OSError}


class Provider(InFolder):
    """Writes down that it was executed, then ends as the input says."""

    async def execute(self, ctx):
        how = ctx.snapshot.input_text
        self.write(how)
        if how == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if how in RAISED:
            raise RAISED[how]("not today")
        return StageOutput.fail("rejected") if how == "fail" else {"answer": 42}


class HeldProbe(Provider):
    async def execute(self, ctx):
        if ctx.snapshot.input_text == "probe":
            Gate(self.folder, "probing").open()
            await Gate(self.folder, "go-on").opened()
        return await super().execute(ctx)
