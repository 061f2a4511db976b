"""Stages that spawn, runtimes that know what, and what their tests ask of both all the time."""

from __future__ import annotations

import asyncio
from typing import Any

from stageflow_actors import (
    LocalRuntime,
    Pipeline,
    RunResult,
    StageContext,
    StageOutput,
    SubpipelineResult,
)
from tests.conformance.crossing import Gate, Journal
from tests.conformance.stages import WaitForever

LONG_S = 9000.0
"""More than any stage here takes; what says nothing gets less, for the children are slow to start.
"""


def knowing(runtime: Any, *registered: Any, **options: Any) -> Any:
    """A runtime of the same kind, whose stages may spawn these pipelines."""
    return type(runtime)(registry=registered, **options)


def soon(runtime: Any) -> float:
    """Seconds in which a child of a pipeline that is up has begun."""
    return 0.2 if isinstance(runtime, LocalRuntime) else 2.0


def alone(name: str, body: Any, **options: Any) -> Pipeline:
    """A pipeline of one stage, both of that name."""
    return Pipeline(name).with_stage(name, body, "work", **options)


def asking(pipeline: Any, inputs: Any = None, **options: Any) -> Any:
    """The body of a stage that spawns one child, and returns how it ended."""

    async def ask(ctx: StageContext) -> dict[str, Any]:
        return {"child": await ctx.spawn(pipeline, inputs, **options)}

    return ask


async def result_of(runtime: Any, body: Any, **parts: Any) -> RunResult:
    """How a run of ``body``, as its only stage, ``parent``, ends."""
    async with runtime.deploy(alone("parent", body, timeout=LONG_S)) as app:
        result: RunResult = await (await app.start(**parts)).result()
    return result


async def answer_of(runtime: Any, body: Any, **parts: Any) -> Any:
    """What ``body``, as the only stage, returns."""
    return (await result_of(runtime, body, **parts)).raise_for_status().outputs["parent"].data


async def child_of(runtime: Any, body: Any, **parts: Any) -> SubpipelineResult:
    """How the child ended that ``body`` has spawned, see ``asking``."""
    child: SubpipelineResult = (await answer_of(runtime, body, **parts))["child"]
    return child


async def refusal_of(runtime: Any, body: Any, **parts: Any) -> BaseException:
    """What ``body`` raised."""
    result = await result_of(runtime, body, **parts)
    return result.failures["parent"].original


async def ends(ctx: StageContext) -> Any:
    """Ends as the text of its run says; a text that is none of these comes back."""
    how = ctx.snapshot.input_text
    if how == "raise":
        raise KeyError("tea", 2)
    if how == "fail":
        return StageOutput.fail("no tea", {"left": 1})
    if how == "cancel":
        return StageOutput.cancel("enough")
    if how == "wait":
        await asyncio.Event().wait()
    return {"text": how}


def tells(ctx: StageContext) -> dict[str, Any]:
    """What a stage sees of its run."""
    snapshot, ancestry = ctx.snapshot, ctx.ancestry
    ids = ("pipeline_run_id", "request_id", "session_id", "user_id", "org_id", "interaction_id")
    return {
        "ids": {name: str(getattr(snapshot, name)) for name in ids},
        "text": snapshot.input_text,
        "data": dict(ctx.data),
        "topology": snapshot.topology,
        "mode": snapshot.execution_mode,
        "correlation": str(ctx.correlation_id),
        "depth": ctx.depth,
        "ancestry": None if ancestry is None else [str(part) for part in ancestry],
        "db": None if ctx.inputs.ports is None else ctx.inputs.ports.db,
    }


class Waiter(WaitForever):
    """Waits to be stopped, and says so, but for a run with a text."""

    async def execute(self, ctx: StageContext) -> StageOutput:
        if ctx.snapshot.input_text == "pass":
            return StageOutput.ok()
        return await super().execute(ctx)


def waiter(folder: Any) -> Pipeline:
    """A child that waits to be stopped; its stage writes ``waiter cleaned up`` when it was."""
    return Pipeline("waiter").with_stage("waiter", Waiter, config={"folder": folder})


async def waiter_runs(folder: Any) -> None:
    """Returns when the body of ``waiter`` runs."""
    await Gate(folder, "waiter-runs").opened()


def stopped(folder: Any) -> bool:
    """Whether the body of ``waiter`` was stopped, and has come to its end."""
    return "waiter cleaned up" in Journal(folder).lines
