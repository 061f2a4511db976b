"""Stages whose runs have every kind of attempt: failed, skipped, and those of children."""

from __future__ import annotations

from stageflow_actors import Pipeline, RetryPolicy, StageOutput

_EVERY = 4


def _number(ctx) -> int:
    return int(ctx.snapshot.input_text)


async def flaky(ctx):
    """Fails at first in one run of four."""
    if ctx.attempt == 1 and _number(ctx) % _EVERY == 0:
        raise ConnectionError("at first")
    return {"attempt": ctx.attempt}


async def choosy(ctx):
    """Has nothing to do in one run of four."""
    return StageOutput.skip("odd") if _number(ctx) % _EVERY == 1 else StageOutput.ok()


async def parent(ctx):
    """Has a child in one run of four."""
    if _number(ctx) % _EVERY == 2:
        await ctx.spawn("leaf", ctx.snapshot.input_text)


async def leaf(ctx):
    return {"number": _number(ctx)}


def leaf_pipeline() -> Pipeline:
    return Pipeline("leaf").with_stage("leaf", leaf, "work", effects="none")


def traced_pipeline() -> Pipeline:
    retry = RetryPolicy(max_attempts=2, initial_delay_s=0.001)
    return (
        Pipeline("traced")
        .with_stage("flaky", flaky, "work", retry=retry, effects="none")
        .with_stage("choosy", choosy, "work", "flaky", effects="none")
        .with_stage("unneeded", leaf, "work", "choosy", conditional=True, effects="none")
        .with_stage("parent", parent, "work", "flaky", effects="none")
    )
