"""One run at a time of four stages on Ray, each in an actor of its own, against hand-written Ray.

Timed as the caller sees it: from the call to the result. Our events are delivered after that, and
both sides wait for it, so that neither pays for it.
"""

from __future__ import annotations

import logging
from typing import Any

import ray

from stageflow_actors import (
    Pipeline,
    RayRuntime,
    StageContext,
    StageKind,
    StageOutput,
    flush_events,
)
from stageflow_actors.actors.deployment import Deployment
from tests.benchmarks.figures import Figure, counted_figure, timed_figure
from tests.benchmarks.measure import Rounds, compare, timed

_STAGES = 4
_MILLISECONDS = 1e3
_COUNTED_RUNS = 50


class Work:
    """A stage of ours."""

    kind = StageKind.TRANSFORM

    async def execute(self, ctx: StageContext) -> StageOutput:
        return StageOutput.ok(x=1)


class HandWrittenStage:
    """The same as an actor."""

    async def execute(self, inputs: dict[str, Any]) -> dict[str, Any]:
        return {"x": 1}


class HandWrittenCoordinator:
    """The actor that awaits four stage actors one by one."""

    def __init__(self) -> None:
        stage = ray.remote(HandWrittenStage).options(num_cpus=0)
        self._stages = [stage.remote() for _ in range(_STAGES)]

    async def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        for stage in self._stages:
            inputs = await stage.execute.remote(inputs)
        return inputs


async def lone_run(rounds: Rounds) -> list[Figure]:
    """What a lone run takes, and how many calls to actors it makes. Starts Ray and stops it."""
    ray.init(
        address="local",
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.WARNING,
    )
    try:
        coordinator = ray.remote(HandWrittenCoordinator).options(num_cpus=0).remote()
        async with RayRuntime().deploy(_pipeline()) as app:
            return [await _duration(app, coordinator, rounds), await _calls(app)]
    finally:
        ray.shutdown()


def _pipeline() -> Pipeline:
    pipeline = Pipeline("lone_run")
    for i in range(_STAGES):
        pipeline = pipeline.with_stage(f"s{i}", Work, dependencies=(f"s{i - 1}",) if i else ())
    return pipeline


async def _duration(app: Deployment, coordinator: Any, rounds: Rounds) -> Figure:
    async def ours() -> None:
        results = await app.run(input_text="w")
        assert results[f"s{_STAGES - 1}"].data == {"x": 1}

    async def by_hand() -> None:
        assert await coordinator.run.remote({"text": "w"}) == {"x": 1}

    measured = await compare(
        timed(ours, _MILLISECONDS, flush_events),
        timed(by_hand, _MILLISECONDS, flush_events),
        rounds,
    )
    return timed_figure("Lone run of 4 on Ray", "ms", "hand-written Ray", measured, at_most=1.2)


async def _calls(app: Deployment) -> Figure:
    before = await _calls_so_far(app)
    for _ in range(_COUNTED_RUNS):
        await app.run(input_text="w")
    asked = 1  # asking counts as a call, too
    per_run = (await _calls_so_far(app) - before - asked) / _COUNTED_RUNS
    return counted_figure(
        "Ray calls per lone run of 4", "calls", per_run, _STAGES + 1, "stages + 1"
    )


async def _calls_so_far(app: Deployment) -> int:
    described = await app.describe()
    calls: int = described["calls_to_supervisor"] + described["calls_to_stages"]
    return calls
