"""Stages with several processes, and stages that take many runs in one call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from functools import partial
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
from tests.benchmarks.bare_ray import start_stages, until_ready
from tests.benchmarks.chain_peers import burst
from tests.benchmarks.figures import Figure, Row, Skipped, rate_figure, reported_figure
from tests.benchmarks.measure import Effort, Rounds, compare, timed
from tests.benchmarks.options import lacking_of_stages
from tests.benchmarks.sessions import start_ray

_REPLICAS, _RUNS = 2, 200
_WORK_S = 0.01
_BATCH, _ITEMS = 16, 64
_CALL_S = 0.02
_REPLICATED = f"{_RUNS} runs of 10 ms of work on {_REPLICAS} replicas"
_BATCHED = f"{_ITEMS} runs at once of a stage that takes 20 ms a call, in batches of {_BATCH}"
_LONE = "... and a lone run"


def work() -> None:
    """Keep a processor busy."""
    until = time.process_time() + _WORK_S
    while time.process_time() < until:
        pass


class Busy:
    """A stage that computes. A coroutine: one at a time in a process, as in the bare actor."""

    kind = StageKind.WORK

    async def execute(self, ctx: StageContext) -> dict[str, Any]:
        """Compute for one run."""
        work()
        return {}


class BareBusy:
    """The same as an actor."""

    def execute(self, _number: int) -> None:
        """Compute once."""
        work()


class OneByOne:
    """A stage whose call takes its time for one run."""

    kind = StageKind.WORK

    async def execute(self, ctx: StageContext) -> dict[str, Any]:
        """Wait as for a model."""
        await asyncio.sleep(_CALL_S)
        return {}


class Together:
    """The same for many runs in the same time."""

    kind = StageKind.WORK

    async def execute_batch(self, ctxs: Sequence[StageContext]) -> list[StageOutput]:
        """Wait once for all."""
        await asyncio.sleep(_CALL_S)
        return [StageOutput.ok() for _ in ctxs]


async def rows(effort: Effort) -> AsyncIterator[Row]:
    """Replicas first, then batches."""
    no_replicas = lacking_of_stages("replicas")
    no_batches = lacking_of_stages("batching", "concurrency")
    if no_replicas:
        yield Skipped(_REPLICATED, no_replicas)
    else:
        start_ray()
        yield await _replicas(effort.slow)
    if no_batches:
        yield Skipped(_BATCHED, no_batches)
        yield Skipped(_LONE, no_batches)
    else:
        start_ray()
        for figure in await _batches(effort):
            yield figure


async def _replicas(rounds: Rounds) -> Figure:
    actors = start_stages(_REPLICAS, BareBusy)
    await until_ready(actors)

    async def bare() -> None:
        # By turns and all at once: none of them ever waits for work.
        await asyncio.gather(*(actors[i % _REPLICAS].execute.remote(i) for i in range(_RUNS)))

    pipeline = _pipeline("replicas", Busy, replicas=_REPLICAS)
    async with RayRuntime().deploy(pipeline) as app:
        ours = timed(burst(partial(_run, app), _RUNS), 1.0, flush_events)
        measured = await compare(ours, timed(bare, 1.0, flush_events), rounds)
    rates = measured.rates(_RUNS)
    return rate_figure(
        _REPLICATED, "runs/s", f"{_REPLICAS} bare actors fed perfectly", rates, at_least=0.92
    )


async def _batches(effort: Effort) -> list[Figure]:
    from stageflow_actors.model.policies.batching import Batching

    batched = _pipeline("batched", Together, batching=Batching(max_batch_size=_BATCH))
    single = _pipeline("one_by_one", OneByOne, concurrency=1)
    runtime = RayRuntime()
    async with runtime.deploy(batched) as app, runtime.deploy(single) as peer:
        many = await compare(
            timed(burst(partial(_run, app), _ITEMS), 1.0, flush_events),
            timed(burst(partial(_run, peer), _ITEMS), 1.0, flush_events),
            effort.slow,
        )
        lone = await compare(
            timed(partial(_run, app), 1e3, flush_events),
            timed(partial(_run, peer), 1e3, flush_events),
            Rounds(effort.pairs, turns=5),
        )
    name = "ours, unbatched"
    return [
        rate_figure(_BATCHED, "runs/s", name, many.rates(_ITEMS), at_least=8),
        reported_figure(_LONE, "ms", name, lone),
    ]


def _pipeline(name: str, kind: type[Any], **options: Any) -> Pipeline:
    return Pipeline(name).with_stage("work", kind, **options)


async def _run(app: Deployment) -> None:
    await app.run(input_text="w")
