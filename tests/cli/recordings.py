"""Real runs, recorded by the sinks that the commands read from."""

from __future__ import annotations

import asyncio

from stageflow_actors import (
    JSONLEventSink,
    LLMResponse,
    LocalRuntime,
    Pipeline,
    RetryPolicy,
    RoutingDecision,
    SQLiteEventSink,
    StageOutput,
    TransientError,
)


async def quick(ctx):
    await asyncio.sleep(0)


async def flaky(ctx):
    if ctx.attempt < 2:
        raise TransientError("the shop\x1b[31m did not answer")


async def decide(ctx):
    return RoutingDecision("left")


async def fail(ctx):
    raise ValueError("no such parcel")


async def skip(ctx):
    return StageOutput.skip("nothing to do")


async def wait(ctx):
    await asyncio.Event().wait()


async def spawn(ctx):
    ctx.record_call(LLMResponse(content="hi", model="m1", provider="us", latency_ms=0.01))
    return {"child": str((await ctx.spawn("below")).child_run_id)}


RETRY = RetryPolicy(max_attempts=2, initial_delay_s=0)
BELOW = Pipeline("below").with_stage("deep", quick, "work")
EVERYTHING = (
    Pipeline("everything")
    .with_stage("hear", quick, "transform")
    .with_stage("flaky", flaky, "enrich", "hear", retry=RETRY)
    .with_stage("decide", decide, "route", "hear")
    .with_stage("left", spawn, "agent", ("decide", "flaky"), router="decide", route="left")
    .with_stage("right", quick, "agent", "decide", route="right")
    .with_stage("idle", skip, "work", "left")
)
FAILS = Pipeline("fails").with_stage("a", quick, "work").with_stage("bad", fail, "work", "a")
LATE = Pipeline("late").with_stage("a", quick, "work").with_stage("long", wait, "work", "a")


def record(path, *runs):
    """Run ``(pipeline, timeout)`` one after the other; their ids, in that order."""
    is_database = str(path).endswith(".db")
    sink = SQLiteEventSink(path, synchronous="OFF") if is_database else JSONLEventSink(path)

    async def run_all():
        ids = []
        async with LocalRuntime(event_sink=sink, registry=[BELOW]) as runtime:
            for pipeline, timeout in runs:
                async with runtime.deploy(pipeline) as app:
                    run = await app.start(timeout=timeout)
                    await run.result()
                    ids.append(str(run.run_id))
        return ids

    with sink:
        return asyncio.run(run_all())
