"""What the files of these tests name."""

from __future__ import annotations

import os

from pydantic import BaseModel

from stageflow_actors import BaseInterceptor, RoutingDecision, StageOutput, stage


class Said(BaseModel):
    text: str


class Busy(Exception):
    pass


class Hear:
    kind = "transform"

    def __init__(self, upper=False, suffix=""):
        self.upper, self.suffix = upper, suffix

    async def execute(self, ctx):
        text = ctx.snapshot.input_text or ""
        return {"text": (text.upper() if self.upper else text) + self.suffix}


class Needs:
    kind = "work"

    def __init__(self, size, *, color="red"):
        self.size = size

    async def execute(self, ctx): ...


class TakesAll:
    kind = "work"

    def __init__(self, **options):
        self.options = options

    async def execute(self, ctx):
        return dict(self.options)


class Batched:
    kind = "work"

    async def execute_batch(self, ctxs):
        return [StageOutput.ok(size=len(ctxs)) for _ in ctxs]


class Outer:
    class Inner:
        kind = "work"

        async def execute(self, ctx): ...


async def think(ctx):
    return {"reply": f"You said {ctx.inputs.require_from('hear', 'text')}."}


async def process(ctx):
    return {"pid": os.getpid()}


async def fails(ctx):
    return StageOutput.fail("broken")


async def passes(ctx): ...


async def decides(ctx):
    return RoutingDecision("left")


def weighs(ctx):
    return 1.0


async def notes(stage_name, error): ...


@stage(kind="agent", timeout=7.0, dependencies="hear")
async def declared(ctx): ...


class Marking(BaseInterceptor):
    """Counts what it is called for."""

    name = "marking"

    def __init__(self):
        self.seen = []

    async def before(self, stage_name, ctx):
        self.seen.append(stage_name)


marking = Marking()
ready = Hear(upper=True)
unnamed = lambda ctx: None  # noqa: E731


def made():
    async def inner(ctx): ...

    return inner
