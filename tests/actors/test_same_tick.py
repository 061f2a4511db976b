"""Several things end in one turn of the loop: which decides is a rule, not luck.

Only in one process can a test make two bodies end in the same turn on purpose.
"""

from __future__ import annotations

import asyncio

import pytest

from stageflow_actors import LocalRuntime, Pipeline, RunStatus, StageKind, StageOutput


class Together:
    """All instances wait for one event of this process, so they end in the same turn."""

    kind = StageKind.WORK

    def __init__(self, go, then):
        self.go = go
        self.then = then

    async def execute(self, ctx):
        await self.go.wait()
        if self.then == "raise":
            raise ValueError(ctx.stage_name)
        if self.then == "cancel":
            return StageOutput.cancel(ctx.stage_name)
        return StageOutput.ok(stage=ctx.stage_name)


async def end_together(**then):
    go = asyncio.Event()
    pipeline = Pipeline()
    for name, ending in then.items():
        pipeline = pipeline.with_stage(name, Together(go, ending))
    async with LocalRuntime().deploy(pipeline) as app:
        run = await app.start()
        async for event in run.events():
            if event.type == f"stage.{list(then)[-1]}.started":
                go.set()
        return await run.result()


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
async def test_failure_beats_a_cancel_of_the_same_turn_in_any_order(order):
    endings = {"a": "raise", "b": "cancel"}
    result = await end_together(**{name: endings[name] for name in order})
    assert (result.status, result.stage) == (RunStatus.FAILED, "a")
    assert result.outputs["b"].reason == "b"


async def test_of_two_failures_the_first_declared_decides_and_the_other_is_attached():
    result = await end_together(a="raise", b="raise", c="ok")
    assert result.stage == "a"
    assert list(result.failures) == ["a", "b"]
    assert list(result.outputs) == ["c"]


async def test_output_finished_in_the_turn_of_a_cancel_is_kept():
    result = await end_together(a="cancel", o="ok")
    assert (result.status, result.stage) == (RunStatus.CANCELLED, "a")
    assert set(result.outputs) == {"a", "o"}


async def test_cancel_from_outside_in_the_turn_of_the_last_completion_cancels():
    go = asyncio.Event()
    pipeline = Pipeline().with_stage("a", Together(go, "ok")).with_stage("b", Together(go, "ok"))
    async with LocalRuntime().deploy(pipeline) as app:
        run = await app.start()
        async for event in run.events():
            if event.type == "stage.b.started":
                break
        go.set()
        await run.cancel("now")
        result = await run.result()
    assert (result.status, result.reason) == (RunStatus.CANCELLED, "now")
    assert set(result.outputs) == {"a", "b"}
