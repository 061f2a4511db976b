"""The stages of ``test_routes.py``. Their processes load this, and no test."""

from __future__ import annotations

import asyncio

from stageflow_actors import RoutingDecision, StageKind
from tests.conformance.crossing import Gate, Journal


class Decide:
    """Returns what ``decisions`` has for the text of the run."""

    kind = StageKind.ROUTE

    def __init__(self, **decisions):
        self.decisions = decisions

    async def execute(self, ctx):
        return self.decisions[ctx.snapshot.input_text]


class Note:
    """Writes down that it ran, and in which run; says what its inputs said."""

    kind = StageKind.WORK

    def __init__(self, folder):
        self.folder = folder

    async def execute(self, ctx):
        Journal(self.folder).write(f"{ctx.snapshot.input_text}: {ctx.stage_name}")
        return {"saw": {name: each.reason for name, each in ctx.inputs.outputs.items()}}


class DecideOnStop:
    """Decides only when it is told to stop."""

    kind = StageKind.ROUTE

    def __init__(self, folder):
        self.folder = folder

    async def execute(self, ctx):
        Gate(self.folder, f"{ctx.stage_name}-runs").open()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return RoutingDecision("fast")
