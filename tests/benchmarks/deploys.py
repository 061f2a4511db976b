"""How long a pipeline takes to be up, against bare actors that are started all at once.

What was started is gone before the other side takes its turn: that is not timed.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import ray

from stageflow_actors import RayRuntime, flush_events
from tests.benchmarks.bare_ray import start_coordinator, start_stages, until_ready
from tests.benchmarks.chain_peers import SAID
from tests.benchmarks.figures import Row, timed_figure
from tests.benchmarks.measure import Comparison, Effort, Probe, Rounds, compare
from tests.benchmarks.our_chain import our_chain, run_once
from tests.benchmarks.processes import until_gone
from tests.benchmarks.sessions import end_ray, start_ray

_MANY, _TWO = 8, 2
_SESSIONS = 3
_MILLISECONDS = 1e3
_PEER = "bare actors"


async def rows(effort: Effort) -> AsyncIterator[Row]:
    """Eight processes until they are up, eight stages, and two until the first result."""
    pairs = effort.of(full=_SESSIONS, quick=1)
    yield timed_figure(
        f"{_MANY} processes started at once", "ms", "plain Ray", await _starts(pairs), at_most=0.5
    )
    rounds = Rounds(
        effort.of(effort.few, effort.pairs), turns=1, warm_up=0
    )  # two small deployments warm up
    await _our_start(_TWO, 1)()
    await _bare_start(_TWO, 1)()
    up = await compare(_our_start(_MANY, 0), _bare_start(_MANY, 0), rounds)
    yield timed_figure(f"Deploy of {_MANY} stages", "ms", f"{_MANY + 1} {_PEER}", up, at_most=1.5)
    first = await compare(_our_start(_TWO, 1), _bare_start(_TWO, 1), rounds)
    yield timed_figure(
        f"First result of {_TWO} stages", "ms", f"{_TWO + 1} {_PEER}", first, at_most=1.5
    )


async def _starts(pairs: int) -> Comparison:
    """Bare actors in a Ray that does not fork its processes, and in one that does, by turns.

    The last one that does stays up.
    """
    took: dict[bool, list[float]] = {False: [], True: []}
    for _pair in range(pairs):
        for forks, times in took.items():
            end_ray()
            start_ray(forks)
            await _bare_start(_MANY, 0)()  # those that Ray has at hand are used up
            times.append(await _bare_start(_MANY, 0)())
    return Comparison(tuple(took[True]), tuple(took[False]))


def _our_start(stages: int, runs: int) -> Probe:
    pipeline = our_chain(f"deploy_{stages}", stages)

    async def probe() -> float:
        began = time.perf_counter()
        async with RayRuntime().deploy(pipeline) as app:
            for _ in range(runs):
                await run_once(app, stages)
            took = time.perf_counter() - began
            told = await app.describe()
            pids = [told["supervisor_pid"], *(stage["pid"] for stage in told["stages"])]
        await flush_events()
        await until_gone(pids)
        return took * _MILLISECONDS

    return probe


def _bare_start(stages: int, runs: int) -> Probe:
    """As many actors as ours has: the stages, and one that calls them."""

    async def probe() -> float:
        began = time.perf_counter()
        workers = start_stages(stages)
        actors = [*workers, start_coordinator(workers)]
        if not runs:
            await until_ready(actors)
        for _ in range(runs):
            assert await actors[-1].run.remote({"text": "w"}) == SAID
        took = time.perf_counter() - began
        pids = [await actor.pid.remote() for actor in actors]
        for actor in actors:
            ray.kill(actor)
        await until_gone(pids)
        return took * _MILLISECONDS

    return probe
