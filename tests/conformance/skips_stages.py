"""The stages of ``test_skips.py``. Their processes load this, and no test."""

from __future__ import annotations

from stageflow_actors import StageKind
from tests.conformance.crossing import Journal


class Note:
    """Writes down that it ran; says which reason its inputs offer."""

    kind = StageKind.WORK

    def __init__(self, folder):
        self.folder = folder

    async def execute(self, ctx):
        Journal(self.folder).write(ctx.stage_name)
        return {"why": ctx.inputs.get("reason", "none")}


async def plain(ctx):
    return {"n": 1}
