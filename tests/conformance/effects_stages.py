"""The stages of ``test_effects.py``. Their processes load this, and no test."""

from __future__ import annotations

import os
import signal

from stageflow_actors import LocalRuntime, Pipeline, RetryPolicy, StageOutput
from tests.conformance.crossing import Journal
from tests.conformance.stages import WaitForever
from tests.conformance.timeout_missions import InFolder

AT_ONCE = RetryPolicy(max_attempts=3, initial_delay_s=0)


class Charges(InFolder):
    """Writes down its key, and fails after having done so once."""

    async def execute(self, ctx):
        self.write(ctx.effect_key)
        if ctx.attempt == 1:
            raise ConnectionError("was it charged?")
        return {"key": ctx.effect_key}


class ChargesTwice(Charges):
    """Charges itself, and has another pipeline charge, too."""

    async def execute(self, ctx):
        own = ctx.effect_key
        inner = Pipeline("inner").with_stage(
            ctx.stage_name, Charges, retry=AT_ONCE, config={"folder": self.folder}
        )
        results = await inner.run(ctx, runtime=LocalRuntime())
        return {"own": own, "inner": results[ctx.stage_name].data["key"]}


class Drafts(InFolder):
    async def execute(self, ctx):
        self.write(ctx.effect_key)


async def accept_the_second(ctx):
    return StageOutput.ok() if ctx.attempt == 2 else StageOutput.fail("once more")


class Dies(InFolder):
    """Does something, and its process dies, ``times`` times."""

    def __init__(self, folder, times: int = 1) -> None:
        super().__init__(folder)
        self.times = times

    async def execute(self, ctx):
        self.write(ctx.effect_key)
        if ctx.attempt <= self.times:
            os.kill(os.getpid(), signal.SIGKILL)


class BeginsAndWaits(WaitForever):
    async def execute(self, ctx):
        Journal(self.folder).write(f"began {ctx.attempt}")
        return await super().execute(ctx)


class RefusesThenDoes(InFolder):
    async def execute(self, ctx):
        self.write(f"attempt {ctx.attempt}")
        if ctx.attempt == 1:
            raise ConnectionError("refused: nothing was done")
