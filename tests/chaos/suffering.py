"""Stages of every form, to have faults done to them; they write down what they do."""

from __future__ import annotations

import functools

from stageflow_actors import StageKind, StageOutput, stage
from tests.conformance.crossing import Journal


class Working:
    """An ``async`` stage with hooks, made with arguments."""

    name = "working"
    kind = StageKind.TRANSFORM

    def __init__(self, folder):
        self.folder = folder

    async def setup(self):
        Journal(self.folder).write("setup")

    async def execute(self, ctx):
        Journal(self.folder).write("body")
        return StageOutput.ok(stage=ctx.stage_name)

    async def teardown(self):
        Journal(self.folder).write("teardown")


class PlainWorking(Working):
    def execute(self, ctx):
        Journal(self.folder).write("body")
        return StageOutput.ok(stage=ctx.stage_name)


class CallableWorking(Working):
    execute = None

    async def __call__(self, ctx):
        Journal(self.folder).write("body")
        return StageOutput.ok(stage=ctx.stage_name)


@stage("declared", kind="transform", effects="none")
class Declared(Working):
    pass


async def work(ctx, folder):
    Journal(folder).write("body")
    return StageOutput.ok(stage=ctx.stage_name)


def plain_work(ctx, folder):
    Journal(folder).write("body")
    return StageOutput.ok(stage=ctx.stage_name)


def awaiting_work(ctx, folder):
    """A plain ``def`` whose body is what it returns."""
    return work(ctx, folder)


async def quiet(ctx):
    return StageOutput.ok()


def quiet_plain(ctx):
    return StageOutput.ok()


FORMS = {
    "class": lambda folder: (Working, {"config": {"folder": folder}}),
    "plain class": lambda folder: (PlainWorking, {"config": {"folder": folder}}),
    "instance": lambda folder: (Working(folder), {}),
    "plain instance": lambda folder: (PlainWorking(folder), {}),
    "callable": lambda folder: (CallableWorking(folder), {}),
    "method": lambda folder: (Working(folder).execute, {}),
    "partial": lambda folder: (functools.partial(work, folder=folder), {}),
    "plain partial": lambda folder: (functools.partial(plain_work, folder=folder), {}),
    "awaiting": lambda folder: (functools.partial(awaiting_work, folder=folder), {}),
}
"""What a runner may be: by name, the runner and its options."""
PLAIN = {"plain class", "plain instance", "plain partial", "awaiting"}
