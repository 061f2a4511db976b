"""A lone run of stages that share one process, against a single call to a bare actor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from stageflow_actors import RayRuntime, flush_events
from stageflow_actors.model.policies.placement import Placement
from tests.benchmarks.bare_ray import start_stages
from tests.benchmarks.chain_peers import SAID
from tests.benchmarks.figures import Row, Skipped, timed_figure
from tests.benchmarks.measure import Effort, Rounds, compare, timed
from tests.benchmarks.options import lacking_of_placement
from tests.benchmarks.our_chain import our_chain, run_once
from tests.benchmarks.sessions import start_ray

_NAME = "Lone run of 4 in one host on Ray"
_MILLISECONDS = 1e3


async def rows(effort: Effort) -> AsyncIterator[Row]:
    """One figure. Stages in a process each are measured in ``lone_run``."""
    reason = lacking_of_placement("share")
    if reason:
        yield Skipped(_NAME, reason)
        return
    together: Any = {"share": "x"}
    pipeline = our_chain("one_host", placement=Placement(**together))
    start_ray()
    (bare,) = start_stages(1)

    async def one_call() -> None:
        assert await bare.execute.remote({"text": "w"}) == SAID

    async with RayRuntime().deploy(pipeline) as app:
        measured = await compare(
            timed(partial(run_once, app), _MILLISECONDS, flush_events),
            timed(one_call, _MILLISECONDS, flush_events),
            Rounds(effort.pairs, turns=20, warm_up=20),
        )
    yield timed_figure(_NAME, "ms", "one bare actor call", measured, at_most=2.3)
