"""Stages that several conformance tests share."""

from __future__ import annotations

import asyncio

from stageflow_actors import StageContext, StageOutput
from tests.conformance.crossing import Gate, Journal


async def ok(ctx: StageContext) -> StageOutput:
    return StageOutput.ok(stage=ctx.stage_name)


class WaitForever:
    """Says that it runs, then waits to be stopped; writes down its cleanup, which takes a while."""

    kind = "work"

    def __init__(self, folder) -> None:
        self.folder = folder

    async def execute(self, ctx: StageContext) -> StageOutput:
        Gate(self.folder, f"{ctx.stage_name}-runs").open()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            Journal(self.folder).write(f"{ctx.stage_name} cleaned up")
        return StageOutput.ok()


class FinishOnStop(WaitForever):
    """Ignores being told to stop and finishes its work."""

    async def execute(self, ctx: StageContext) -> StageOutput:
        Gate(self.folder, f"{ctx.stage_name}-runs").open()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
        return StageOutput.ok(finished=True)


class After:
    """Waits for a gate, then does what ``then`` says."""

    kind = "work"

    def __init__(self, folder, gate: str, then: str) -> None:
        self.folder = folder
        self.gate = gate
        self.then = then

    async def execute(self, ctx: StageContext) -> StageOutput:
        Gate(self.folder, f"{ctx.stage_name}-runs").open()
        await Gate(self.folder, self.gate).opened()
        if self.then == "raise":
            raise ValueError(f"{ctx.stage_name} raised")
        if self.then == "fail":
            return StageOutput.fail(f"{ctx.stage_name} failed", {"partial": 1})
        if self.then == "cancel":
            return StageOutput.cancel(f"{ctx.stage_name} cancelled")
        return StageOutput.ok(stage=ctx.stage_name)
