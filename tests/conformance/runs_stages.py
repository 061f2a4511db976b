"""The stages of ``test_runs.py``. Their processes load this, and no test."""

from __future__ import annotations

import asyncio

from stageflow_actors import Pipeline, StageContext, StageKind, StageOutput
from tests.conformance.crossing import Gate
from tests.conformance.stages import After


class GreetStage:
    name = "greet"
    kind = StageKind.TRANSFORM

    async def execute(self, ctx: StageContext) -> StageOutput:
        name = ctx.snapshot.input_text or "World"
        return StageOutput.ok(greeting=f"Hello, {name}!")


class ShoutStage:
    name = "shout"
    kind = StageKind.TRANSFORM

    async def execute(self, ctx: StageContext) -> StageOutput:
        greeting = ctx.inputs.get_from("greet", "greeting", default="Hello!")
        return StageOutput.ok(shouted=greeting.upper())


def greeting():
    return (
        Pipeline()
        .with_stage("greet", GreetStage, StageKind.TRANSFORM)
        .with_stage("shout", ShoutStage, StageKind.TRANSFORM, dependencies=("greet",))
    )


class AfterInput(After):
    async def execute(self, ctx):
        await Gate(self.folder, ctx.snapshot.input_text).opened()
        return {"text": ctx.snapshot.input_text}


class CountTogether(After):
    """Notes how many of its kind run at once, until told to go on."""

    async def execute(self, ctx):
        name = ctx.snapshot.input_text
        (self.folder / f"{name}.in").touch()
        if name in ("0", "1"):  # the first two wait for each other: so many may run together
            while len(list(self.folder.glob("*.in"))) < 2:
                await asyncio.sleep(0)
        together = len(list(self.folder.glob("*.in"))) - len(list(self.folder.glob("*.out")))
        (self.folder / f"{name}.out").touch()
        return {"together": together}
