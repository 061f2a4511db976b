"""The chain whose runs are counted: trivial stages, each of which says one line."""

from __future__ import annotations

import asyncio
from typing import Any

from stageflow_actors import Pipeline, StageContext, StageKind
from stageflow_actors.actors.deployment import Deployment

STAGES = 4
STUCK = "stuck"
_STUCK_S = 1.0


class Say:
    """A stage that has nothing to do."""

    kind = StageKind.TRANSFORM

    async def execute(self, ctx: StageContext) -> dict[str, Any]:
        """Say the same as ever."""
        return {"text": "said"}


class Begin:
    """The first one, which sits on the runs that it is asked to."""

    kind = StageKind.TRANSFORM

    async def execute(self, ctx: StageContext) -> dict[str, Any]:
        """Say the same, at once or after a second."""
        if ctx.snapshot.input_text == STUCK:
            await asyncio.sleep(_STUCK_S)
        return {"text": "said"}


def our_chain(name: str, stages: int = STAGES, **options: Any) -> Pipeline:
    """Stages ``s0``, ``s1``, ... one after the other, each with these options."""
    pipeline = Pipeline(name).with_stage("s0", Begin, **options)
    for i in range(1, stages):
        pipeline = pipeline.with_stage(f"s{i}", Say, dependencies=(f"s{i - 1}",), **options)
    return pipeline


async def run_once(app: Deployment, stages: int = STAGES) -> None:
    """One run, whose last stage has to have spoken."""
    results = await app.run(input_text="w")
    assert results[f"s{stages - 1}"].data == {"text": "said"}
