"""The stages of ``test_order_edges.py``. Their processes load this, and no test."""

from __future__ import annotations

from stageflow_actors import StageKind, StageOutput
from tests.conformance.crossing import Journal


class Finish:
    """Ends as the text of the run says."""

    kind = StageKind.WORK

    async def execute(self, ctx):
        how = ctx.snapshot.input_text
        if how == "raise":
            raise ValueError("work raised")
        if how == "fail":
            return StageOutput.fail("work failed")
        if how == "skip":
            return StageOutput.skip("nothing to do")
        if how == "cancel":
            return StageOutput.cancel("work cancelled")
        return StageOutput.ok(n=1)


class Note:
    """Writes down that it ran, and in which run."""

    kind = StageKind.WORK

    def __init__(self, folder):
        self.folder = folder

    async def execute(self, ctx):
        Journal(self.folder).write(f"{ctx.snapshot.input_text}: {ctx.stage_name}")
        return StageOutput.ok(saw=sorted(ctx.inputs.outputs))
