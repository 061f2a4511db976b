"""Stage processes that are killed while they work: until it is seen, and until it is made good.

Against an actor that Ray itself restarts, killed by turns with ours, and always one at a time.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import ray

from stageflow_actors import (
    NoOpEventSink,
    Pipeline,
    RayRuntime,
    Settings,
)
from stageflow_actors.actors.deployment import Deployment
from stageflow_actors.testing import StageKiller
from tests.benchmarks.figures import Figure, Row, percentile_figure
from tests.benchmarks.measure import Effort
from tests.benchmarks.mortals import RestartedByRay, Work
from tests.benchmarks.sessions import start_ray

_STAGES = 4
_LOAD = 16
_LOAD_IN_STORM = 64
_KILLS, _KILLS_QUICK = 45, 4
_SPARES = 24
_MANY = 10_000
"""Restarts that are let pass: killed this fast, many die before they have worked on anything."""
_PAUSE_S = (0.1, 0.5)
_LOOK_S = 0.01
_MILLISECONDS = 1e3
_PATIENCE_S = 60.0
_SEEN, _SERVES = 0, 1


_Times = tuple[float, float]
"""Seconds after a kill: until it is seen, and until a process works in place of the dead one."""


async def rows(effort: Effort) -> AsyncIterator[Row]:
    """How long a death takes to be seen, and to be made good; alone, and in a storm of them."""
    kills = effort.of(_KILLS, _KILLS_QUICK)
    spares = min(kills, _SPARES)
    start_ray()
    ours, peer = await _one_by_one(kills, effort.of(full=1, quick=2))
    storm = await _storm(kills, Settings(restart_intensity=_MANY))
    ready = await _storm(kills, _with_spares(spares))
    yield _figure("Death of a stage's process seen", ours, peer, _SEEN, 100)
    yield _figure("Stage works again after a death, a spare ready", ours, peer, _SERVES, 1_000)
    yield _figure("Death of a stage's process seen in a storm", storm, peer, _SEEN, 100)
    yield _figure("Stage works again after a death in a storm", storm, peer, _SERVES, 1_000)
    yield _figure(f"The same with {spares} spares from the start", ready, peer, _SERVES, 1_000)


def _pipeline() -> Pipeline:
    pipeline = Pipeline("mortal")
    for i in range(_STAGES):
        before = (f"s{i - 1}",) if i else ()
        pipeline = pipeline.with_stage(f"s{i}", Work, dependencies=before, effects="none")
    return pipeline


async def _one_by_one(kills: int, ours_per_peer: int) -> tuple[list[_Times], list[_Times]]:
    """Ours, each with a spare, and the actors that Ray restarts, by turns."""
    by_ray = ray.remote(max_restarts=-1, max_task_retries=0, num_cpus=0)(RestartedByRay).remote()
    chance = random.Random(7)  # noqa: S311 - no secret, and the same again
    ours: list[_Times] = []
    peer: list[_Times] = []
    async with _loaded(_LOAD, Settings(restart_intensity=_MANY)) as app:
        await _kill_one(app, chance)  # the first death has no spare, and has one started
        for number in range(kills):
            await _spares(app, 1)
            ours.append(await _kill_one(app, chance))
            if number % ours_per_peer == 0:
                peer.append(await _kill_bare(by_ray))
    ray.kill(by_ray)
    return ours, peer


def _with_spares(count: int) -> Settings:
    return Settings(restart_intensity=_MANY, spare_processes=count, spares_at_start=True)


async def _storm(kills: int, settings: Settings) -> list[_Times]:
    """Whoever is alive may be next, whether or not others are made good by then."""
    async with _loaded(_LOAD_IN_STORM, settings) as app:
        if settings.spares_at_start:
            await _spares(app, settings.spare_processes)
        async with StageKiller(app, every_s=_PAUSE_S, seed=5) as killer:
            while len(killer.kills) < kills:
                await asyncio.sleep(_LOOK_S)
        return [await _made_good(app, kill.pid, kill.at) for kill in killer.kills]


@asynccontextmanager
async def _loaded(runs: int, settings: Settings) -> AsyncIterator[Deployment]:
    """A deployment that always has so many runs."""
    runtime = RayRuntime(event_sink=NoOpEventSink(), settings=settings)
    async with runtime.deploy(_pipeline()) as app, asyncio.TaskGroup() as load:
        tasks = [load.create_task(_run_for_ever(app)) for _ in range(runs)]
        yield app
        for task in tasks:
            task.cancel()


async def _spares(app: Deployment, count: int) -> None:
    while (await app.describe())["restarts"]["spares"] < count:
        await asyncio.sleep(_LOOK_S)


def _figure(
    name: str,
    ours: Sequence[_Times],
    peer: Sequence[_Times],
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


async def _kill_one(app: Deployment, chance: random.Random) -> _Times:
    victim = chance.choice((await app.describe())["stages"])["pid"]
    killed_at = time.time()
    os.kill(victim, signal.SIGKILL)
    return await _made_good(app, victim, killed_at)


async def _made_good(app: Deployment, victim: int, killed_at: float) -> _Times:
    async with asyncio.timeout(_PATIENCE_S):
        while True:
            told = (await app.describe())["restarts"]["deaths"]
            death = next((each for each in told if each["pid"] == victim), None)
            if death is not None and death["serving_at"] is not None:
                return death["seen_at"] - killed_at, death["serving_at"] - killed_at
            await asyncio.sleep(_LOOK_S)


async def _kill_bare(actor: Any) -> _Times:
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
