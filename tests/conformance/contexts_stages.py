"""The stages of ``test_contexts.py``. Their processes load this, and no test."""

from __future__ import annotations

from uuid import UUID

from stageflow_actors import RunContext, StageKind
from tests.conformance.crossing import Gate

IDS = {
    name: UUID(int=number)
    for number, name in enumerate(
        ("request_id", "session_id", "user_id", "org_id", "interaction_id", "correlation_id"), 1
    )
}


def missing(ctx):
    """The public names of ``RunContext`` that ``ctx`` has not, or cannot answer."""
    public = [name for name in dir(RunContext) if not name.startswith("_")]
    assert len(public) > 20
    return [name for name in public if not hasattr(ctx, name)]


def told(ctx):
    """What a context says of its run, the same for all who look at it."""
    return {
        "identity": ctx.identity.model_dump(mode="json"),
        "run": ctx.pipeline_run_id,
        "ids": {name: getattr(ctx, name) for name in IDS},
        "labels": [ctx.topology, ctx.execution_mode],
        "data": dict(ctx.data),
        "snapshot": ctx.snapshot.model_dump(mode="json"),
        "cancel": [ctx.is_cancelled, ctx.cancellation.is_requested, ctx.cancellation_reason],
        "artifacts": list(ctx.artifacts),
    }


def clock(ctx):
    """When the run began, as everybody in it says."""
    assert 0 <= ctx.elapsed_ms() <= ctx.timer.elapsed_ms()
    return [ctx.timer.pipeline_start_ms, ctx.started_at, ctx.timer.started_at]


async def look(ctx):
    await ctx.cancellation_checkpoint()
    ctx.raise_if_cancelled()
    limits = [ctx.deadline, ctx.remaining_ms()]
    return {"missing": missing(ctx), "told": told(ctx), "clock": clock(ctx), "limits": limits}


async def read_port(ctx):
    return {"db": ctx.inputs.ports.db}


class WaitAndRead:
    kind = StageKind.WORK

    def __init__(self, folder):
        self.folder = folder

    async def execute(self, ctx):
        await Gate(self.folder, "go").opened()
        return dict(ctx.data)
