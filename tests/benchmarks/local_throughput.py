"""Many runs at once in one process, against the same in stageflow-core."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from functools import partial

from stageflow_actors import LocalRuntime, flush_events
from tests.benchmarks.chain_peers import burst, burst_in_core
from tests.benchmarks.costs import costed, cpu_of, mean_of, times_of
from tests.benchmarks.figures import Row, rate_figure, reported_figure
from tests.benchmarks.local_runs import PEER
from tests.benchmarks.measure import Effort, Rounds, by_turns
from tests.benchmarks.our_chain import STAGES, our_chain, run_once

_RUNS = 500
_PER_1000 = 1_000 / _RUNS


async def rows(effort: Effort) -> AsyncIterator[Row]:
    """How many runs in a second, and what a thousand of them cost."""
    async with LocalRuntime().deploy(our_chain("local_burst")) as app:
        ours = costed(burst(partial(run_once, app), _RUNS), time.process_time, flush_events)
        peer = costed(burst_in_core(_RUNS, STAGES), time.process_time)
        rounds = Rounds(effort.pairs, turns=1, warm_up=1)
        turns = await by_turns([mean_of(ours), mean_of(peer)], rounds)
    name = f"{_RUNS} local runs of 4 at once"
    yield rate_figure(name, "runs/s", PEER, times_of(turns, 1).rates(_RUNS), at_least=2)
    yield reported_figure(f"{name}, CPU per 1,000", "s", PEER, cpu_of(turns, 1, scale=_PER_1000))
