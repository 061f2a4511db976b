"""Stages in every form that a runner may have."""

from __future__ import annotations

import functools

from stageflow_actors import StageKind

WORK = StageKind.WORK


class AsyncStage:
    kind = StageKind.TRANSFORM

    async def execute(self, ctx):
        return {"by": "async stage"}


class BlockingStage:
    name = "blocking"
    kind = "enrich"

    def execute(self, ctx):
        return {"by": "blocking stage"}


class Configured:
    kind = StageKind.WORK

    def __init__(self, *, size, colour="red"):
        self.size = size
        self.colour = colour

    async def execute(self, ctx):
        return {"size": self.size}


class AsyncCallable:
    async def __call__(self, ctx):
        return {}


class BlockingCallable:
    def __call__(self, ctx):
        return {}


async def async_function(ctx):
    return {}


def blocking_function(ctx):
    return {}


async def with_option(ctx, option):
    return {}


def blocking_with_option(ctx, option):
    return {}


async_partial = functools.partial(with_option, option=1)
blocking_partial = functools.partial(blocking_with_option, option=1)
blocking_lambda = lambda ctx: {}  # noqa: E731 - the form under test

ASYNC = {
    "class": AsyncStage,
    "instance": AsyncStage(),
    "function": async_function,
    "partial": async_partial,
    "partial of a partial": functools.partial(async_partial),
    "callable": AsyncCallable(),
    "partial of a callable": functools.partial(AsyncCallable()),
    "bound method": AsyncStage().execute,
}
BLOCKING = {
    "class": BlockingStage,
    "instance": BlockingStage(),
    "function": blocking_function,
    "partial": blocking_partial,
    "callable": BlockingCallable(),
    "partial of a callable": functools.partial(BlockingCallable()),
    "bound method": BlockingStage().execute,
    "lambda": blocking_lambda,
}
