"""Many runs at once on Ray, every stage in a process of its own, against peers by turns.

Timed from the first call to the last result, in the process that makes the calls. What delivers
our events works meanwhile, and what it takes longer counts as time of the processor.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from typing import Any

from stageflow_actors import RayRuntime, flush_events
from stageflow_actors.actors.deployment import Deployment
from tests.benchmarks.bare_ray import start_coordinator, start_stages
from tests.benchmarks.chain_peers import (
    LANGGRAPH,
    SAID,
    burst,
    burst_in_core,
    burst_in_langgraph,
)
from tests.benchmarks.costs import costed, cpu_of, mean_of, times_of
from tests.benchmarks.figures import Figure, Row, rate_figure, reported_figure, timed_figure
from tests.benchmarks.local_runs import PEER
from tests.benchmarks.measure import Effort, Rounds, by_turns, compare, timed
from tests.benchmarks.our_chain import STAGES, STUCK, our_chain, run_once
from tests.benchmarks.processes import cpu_seconds_of_all
from tests.benchmarks.sessions import start_ray

_RUNS = 500
_PER_1000 = 1_000 / _RUNS
_AT_LEAST = {"hand-written Ray": 8, LANGGRAPH: 5, PEER: 1.5}
"""By peer, in the order in which they take their turns."""


async def rows(effort: Effort) -> AsyncIterator[Row]:
    """How many runs in a second, what a thousand cost, and how others fare beside a stuck one."""
    start_ray()
    coordinator = start_coordinator(start_stages(STAGES))
    async with RayRuntime().deploy(our_chain("burst")) as app:
        for figure in await _against_peers(app, coordinator, effort.slow):
            yield figure
        warm_up = effort.of(full=1, quick=0)  # it has just been busy for its peers
        turns = effort.of(full=3, quick=2)  # garbage is collected in one, and not in the next
        rounds = replace(effort.slow, turns=turns, warm_up=warm_up)
        yield await _beside_one_that_is_stuck(app, rounds)


async def _against_peers(app: Deployment, coordinator: Any, rounds: Rounds) -> list[Figure]:
    async def by_hand() -> None:
        assert await coordinator.run.remote({"text": "w"}) == SAID

    turns = await by_turns(
        [
            mean_of(costed(burst(partial(run_once, app), _RUNS), cpu_seconds_of_all, flush_events)),
            costed(burst(by_hand, _RUNS), cpu_seconds_of_all),
            costed(burst_in_langgraph(_RUNS, STAGES), time.process_time),
            mean_of(costed(burst_in_core(_RUNS, STAGES), time.process_time)),
        ],
        rounds,
    )
    name = f"{_RUNS} runs of 4 at once on Ray"
    peers = list(enumerate(_AT_LEAST.items(), start=1))
    rates = [
        rate_figure(name, "runs/s", peer, times_of(turns, i).rates(_RUNS), at_least=at_least)
        for i, (peer, at_least) in peers
    ]
    costs = [
        reported_figure(f"{name}, CPU per 1,000", "s", peer, cpu_of(turns, i, _PER_1000))
        for i, (peer, _at_least) in peers
    ]
    return [*rates, *costs]


async def _beside_one_that_is_stuck(app: Deployment, rounds: Rounds) -> Figure:
    others = burst(partial(run_once, app), _RUNS - 1)
    stuck: list[asyncio.Task[object]] = []

    async def with_one() -> None:
        stuck.append(asyncio.ensure_future(app.run(input_text=STUCK)))
        await asyncio.sleep(0)  # it is the first to start
        await others()

    async def settle() -> None:
        while stuck:
            await stuck.pop()
        await flush_events()

    measured = await compare(timed(with_one, 1e3, settle), timed(others, 1e3, flush_events), rounds)
    name = f"{_RUNS - 1} runs of 4 on Ray, one that is stuck for 1 s beside them"
    return timed_figure(name, "ms", "ours, none stuck", measured, at_most=1.2)
