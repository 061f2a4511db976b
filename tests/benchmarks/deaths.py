"""Stage processes that are killed while they work: until it is seen, and until it is made good.

Against an actor that Ray itself restarts, killed by turns with ours.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import ray

from stageflow_actors import NoOpEventSink, Pipeline, RayRuntime, StageContext, StageKind
from stageflow_actors.actors.deployment import Deployment
from tests.benchmarks.figures import Figure, Row, percentile_figure
from tests.benchmarks.measure import Effort
from tests.benchmarks.sessions import local_ray

_STAGES = 4
_LOAD = 16
_KILLS, _KILLS_QUICK = 45, 4
_PAUSE_S = (0.1, 0.5)
_LOOK_S = 0.01
_MILLISECONDS = 1e3
_PATIENCE_S = 60.0


class Work:
    """A stage of ours that may be repeated."""

    kind = StageKind.WORK

    async def execute(self, ctx: StageContext) -> dict[str, Any]:
        await asyncio.sleep(0.002)
        return {}


class RestartedByRay:
    """An actor that Ray starts again when it has died."""

    async def pid(self) -> int:
        return os.getpid()


async def rows(effort: Effort) -> AsyncIterator[Row]:
    """How long a death takes to be seen, and to be made good."""
    kills = _KILLS_QUICK if effort.is_quick else _KILLS
    with local_ray():
        async with RayRuntime(event_sink=NoOpEventSink()).deploy(_pipeline()) as app:
            for figure in await _measured(app, kills):
                yield figure


def _pipeline() -> Pipeline:
    pipeline = Pipeline("mortal")
    for i in range(_STAGES):
        before = (f"s{i - 1}",) if i else ()
        pipeline = pipeline.with_stage(f"s{i}", Work, dependencies=before, effects="none")
    return pipeline


async def _measured(app: Deployment, kills: int) -> list[Figure]:
    by_ray = ray.remote(max_restarts=-1, max_task_retries=0, num_cpus=0)(RestartedByRay).remote()
    chance = random.Random(7)  # noqa: S311 - no secret, and the same again
    load = [asyncio.ensure_future(_run_for_ever(app)) for _ in range(_LOAD)]
    ours: list[tuple[float, float]] = []
    peer: list[tuple[float, float]] = []
    unspared: list[tuple[float, float]] = []
    try:
        await _kill_one(app, chance)  # the first death has no spare, and has one started
        await _a_spare(app)
        for _ in range(kills):
            ours.append(await _kill_one(app, chance))
            peer.append(await _kill_bare(by_ray))
            await asyncio.sleep(chance.uniform(*_PAUSE_S))
            unspared.append(await _kill_one(app, chance))
            await _a_spare(app)
    finally:
        for each in load:
            each.cancel()
        await asyncio.gather(*load, return_exceptions=True)
    return [
        _figure("Death of a stage's process seen", [*ours, *unspared], peer, 0, 100),
        _figure("Stage works again after a death, a spare ready", ours, peer, 1, 1_000),
        _figure("Stage works again after a death soon after another", unspared, peer, 1, 1_000),
    ]


async def _a_spare(app: Deployment) -> None:
    while not (await app.describe())["restarts"]["spares"]:
        await asyncio.sleep(_LOOK_S)


def _figure(
    name: str,
    ours: Sequence[tuple[float, float]],
    peer: Sequence[tuple[float, float]],
    which: int,
    at_most_ms: float,
) -> Figure:
    return percentile_figure(
        name,
        "ms",
        [each[which] * _MILLISECONDS for each in ours],
        [each[which] * _MILLISECONDS for each in peer],
        "restarted by Ray",
        at_most=at_most_ms,
    )


async def _run_for_ever(app: Deployment) -> None:
    while True:
        result = await (await app.start()).result()
        assert result.ok, result.reason


async def _kill_one(app: Deployment, chance: random.Random) -> tuple[float, float]:
    """Seconds until the supervisor has seen it, and until the stage has a process again."""
    stages = (await app.describe())["stages"]
    victim = chance.choice(stages)["pid"]
    killed_at = time.time()
    os.kill(victim, signal.SIGKILL)
    async with asyncio.timeout(_PATIENCE_S):
        while True:
            told = (await app.describe())["restarts"]["deaths"]
            death = next((each for each in told if each["pid"] == victim), None)
            if death is not None and death["serving_at"] is not None:
                return death["seen_at"] - killed_at, death["serving_at"] - killed_at
            await asyncio.sleep(_LOOK_S)


async def _kill_bare(actor: Any) -> tuple[float, float]:
    """The same of an actor that Ray restarts: until a call fails, and until one does not."""
    victim = await actor.pid.remote()
    killed_at = time.time()
    os.kill(victim, signal.SIGKILL)
    seen_at = None
    while True:
        try:
            if await actor.pid.remote() != victim:
                now = time.time()
                return (seen_at or now) - killed_at, now - killed_at
        except ray.exceptions.RayActorError:
            seen_at = seen_at or time.time()
