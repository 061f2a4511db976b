"""One run at a time of four stages on Ray, each in an actor of its own, against hand-written Ray.

Timed as the caller sees it: from the call to the result. Our events are delivered after that, and
both sides wait for it, so that neither pays for it.
"""

from __future__ import annotations

import statistics
from collections.abc import AsyncIterator
from typing import Any

from stageflow_actors import (
    Pipeline,
    RayRuntime,
    StageContext,
    StageKind,
    StageOutput,
    flush_events,
)
from stageflow_actors.actors.deployment import Deployment
from tests.benchmarks.bare_ray import start_coordinator, start_stages
from tests.benchmarks.figures import Figure, Row, counted_figure, timed_figure
from tests.benchmarks.measure import Effort, Rounds, compare, timed
from tests.benchmarks.sessions import start_ray

_STAGES = 4
_MILLISECONDS = 1e3
_COUNTED_RUNS = 50


class Work:
    """A stage of ours."""

    kind = StageKind.TRANSFORM

    async def execute(self, ctx: StageContext) -> StageOutput:
        return StageOutput.ok(text="said")


async def rows(effort: Effort) -> AsyncIterator[Row]:
    """What a lone run takes, and how many calls to actors it makes."""
    start_ray()
    coordinator = start_coordinator(start_stages(_STAGES))
    async with RayRuntime().deploy(_pipeline()) as app:
        rounds = Rounds(effort.pairs, turns=20, warm_up=20)
        yield await _duration(app, coordinator, rounds)
        yield await _calls(app)


def _pipeline() -> Pipeline:
    pipeline = Pipeline("lone_run")
    for i in range(_STAGES):
        pipeline = pipeline.with_stage(f"s{i}", Work, dependencies=(f"s{i - 1}",) if i else ())
    return pipeline


async def _duration(app: Deployment, coordinator: Any, rounds: Rounds) -> Figure:
    async def ours() -> None:
        results = await app.run(input_text="w")
        assert results[f"s{_STAGES - 1}"].data == {"text": "said"}

    async def by_hand() -> None:
        assert await coordinator.run.remote({"text": "w"}) == {"text": "said"}

    measured = await compare(
        timed(ours, _MILLISECONDS, flush_events),
        timed(by_hand, _MILLISECONDS, flush_events),
        rounds,
    )
    return timed_figure("Lone run of 4 on Ray", "ms", "hand-written Ray", measured, at_most=1.2)


async def _calls(app: Deployment) -> Figure:
    """Of the run in the middle: heartbeats come with time, not with runs, and fall into a few."""
    counted = []
    for _ in range(_COUNTED_RUNS):
        before = await _calls_so_far(app)
        await app.run(input_text="w")
        asked = 1  # asking counts as a call, too
        counted.append(await _calls_so_far(app) - before - asked)
    per_run = statistics.median(counted)
    return counted_figure(
        "Ray calls per lone run of 4", "calls", per_run, _STAGES + 1, "stages + 1"
    )


async def _calls_so_far(app: Deployment) -> int:
    described = await app.describe()
    calls: int = described["calls_to_supervisor"] + described["calls_to_stages"]
    return calls
