"""The stages of ``test_guards.py``. Their processes load this, and no test."""

from __future__ import annotations

import os

from stageflow_actors import StageOutput
from tests.conformance.crossing import Journal
from tests.conformance.stages import WaitForever


class Make:
    """Makes number ``n`` the ``n``-th time; shows the feedback that it was given."""

    kind = "work"

    def __init__(self, folder):
        self.journal = Journal(folder)

    async def execute(self, ctx):
        self.journal.write(ctx.stage_name)
        feedback = ctx.feedback
        told = None if feedback is None else {**feedback._asdict(), "data": dict(feedback.data)}
        return {"n": self.journal.lines.count(ctx.stage_name), "feedback": told}


class Check:
    """Rejects the first ``rejections`` times, each time with other data unless ``same``."""

    kind = "guard"

    def __init__(self, folder, rejections, same=False):
        self.journal = Journal(folder)
        self.rejections = rejections
        self.same = same

    async def execute(self, ctx):
        self.journal.write(ctx.stage_name)
        seen = self.journal.lines.count(ctx.stage_name)
        if seen > self.rejections:
            return StageOutput.ok(checked=ctx.inputs.get("n"))
        return StageOutput.fail("too small", {"n": 0 if self.same else seen, "seen": seen})


class Deny:
    """A guard that ends without a verdict, ``how`` says which way."""

    kind = "guard"

    def __init__(self, folder, how):
        self.folder = folder
        self.how = how

    async def execute(self, ctx):
        if self.how == "waits":
            return await WaitForever(self.folder).execute(ctx)
        if self.how == "dies":
            os._exit(1)
        if self.how == "raises":
            raise LookupError("no such rule")
        return None
