"""Runs in one process, against stageflow-core on the same event loop.

Timed as the caller sees it: from the call to the result. A thread of its own delivers our events
after that; both sides wait for it, so that the peer's turn never pays for it. What the delivery
costs is a figure of its own. Both sides log their events, as by default, at a level that is off.
"""

from __future__ import annotations

import statistics
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import stageflow

import stageflow_actors
from stageflow_actors import LocalRuntime, flush_events
from tests.benchmarks.figures import Figure, Row, timed_figure
from tests.benchmarks.measure import Action, Effort, Rounds, compare, timed

PEER = "stageflow-core"
Shape = Sequence[tuple[str, Sequence[str]]]
"""Stages with what they depend on."""

_MICROSECONDS = 1e6
_LONG, _SHORT = 5_000, 100


async def rows(effort: Effort) -> AsyncIterator[Row]:
    """Chains, short and long, and a fan-out."""
    for figure in await chain_of_100(Rounds(effort.pairs, turns=20)):
        yield figure
    yield await chain_of_5000(
        effort.of(Rounds(effort.pairs, turns=3), Rounds(5, turns=1, warm_up=1))
    )
    wide = effort.of(Rounds(effort.pairs, turns=5), Rounds(3, turns=3, warm_up=1))
    for figure in await fan_out_of_1000(wide):
        yield figure


def chain(length: int) -> Shape:
    """Stages one after the other."""
    return [(f"s{i}", (f"s{i - 1}",) if i else ()) for i in range(length)]


def fan_out(width: int) -> Shape:
    """One stage, ``width`` that depend on it, and one that depends on them all."""
    branches = [f"s{i}" for i in range(width)]
    return [("root", ()), *((name, ("root",)) for name in branches), ("join", branches)]


async def chain_of_100(rounds: Rounds) -> list[Figure]:
    """A chain of 100 stages against the same in stageflow-core; both with their default stack."""
    with_stack = await _against_peer("Local chain of 100", chain(_SHORT), rounds, at_most=0.6)
    bare = await _bare("Local chain of 100, no interceptors", chain(_SHORT), rounds)
    return [*with_stack, bare]


async def fan_out_of_1000(rounds: Rounds) -> list[Figure]:
    """A fan-out of 1,000 stages and their join against the same in stageflow-core."""
    return await _against_peer("Local fan-out of 1,000 and join", fan_out(1_000), rounds)


async def chain_of_5000(rounds: Rounds) -> Figure:
    """What a stage costs in a chain of 5,000 against one of 100, over equally many stages."""
    async with our_runs(chain(_LONG)) as run_long, our_runs(chain(_SHORT)) as run_short:
        run_short_once = timed(run_short, _MICROSECONDS / _SHORT, flush_events)

        async def run_short_often() -> float:
            # Not the mean: the long chain must not look good for garbage collected in this turn.
            return statistics.median([await run_short_once() for _ in range(_LONG // _SHORT)])

        measured = await compare(
            timed(run_long, _MICROSECONDS / _LONG, flush_events), run_short_often, rounds
        )
    name = "Local chain of 5,000, per stage"
    return timed_figure(name, "us", "ours, chain of 100", measured, at_most=1.2)


async def _bare(name: str, shape: Shape, rounds: Rounds) -> Figure:
    """Ours without breakers, limits of time and observers; the peer has no such switch."""
    scale = _MICROSECONDS / len(shape)
    async with our_runs(shape, interceptors=[]) as run_ours:
        measured = await compare(
            timed(run_ours, scale, flush_events), timed(_peer(shape), scale), rounds
        )
    return timed_figure(f"{name}, per stage", "us", PEER, measured, at_most=0.5)


async def _against_peer(
    name: str, shape: Shape, rounds: Rounds, at_most: float = 0.5
) -> list[Figure]:
    scale = _MICROSECONDS / len(shape)
    run_peer = timed(_peer(shape), scale)
    async with our_runs(shape) as run_ours:

        async def run_and_deliver() -> None:
            await run_ours()
            assert await flush_events()

        to_result = await compare(timed(run_ours, scale, flush_events), run_peer, rounds)
        to_delivery = await compare(timed(run_and_deliver, scale), run_peer, rounds)
    return [
        timed_figure(f"{name}, per stage", "us", PEER, to_result, at_most=at_most),
        timed_figure(f"{name}, events delivered", "us", PEER, to_delivery, at_most=at_most),
    ]


@asynccontextmanager
async def our_runs(shape: Shape, interceptors: list[Any] | None = None) -> AsyncIterator[Action]:
    async def stage(ctx: stageflow_actors.StageContext) -> stageflow_actors.StageOutput:
        return stageflow_actors.StageOutput.ok(x=1)

    graph = declare(stageflow_actors, stage, shape).build(interceptors=interceptors)
    async with LocalRuntime().deploy(graph) as app:

        async def run() -> None:
            results = await app.run(input_text="w")
            assert len(results) == len(shape)

        yield run


def _peer(shape: Shape) -> Action:
    async def stage(ctx: stageflow.StageContext) -> stageflow.StageOutput:
        return stageflow.StageOutput.ok(x=1)

    graph = declare(stageflow, stage, shape).build()

    async def run() -> None:
        results = await graph.run(peer_context())
        assert len(results) == len(shape)

    return run


def declare(library: Any, stage: Any, shape: Shape) -> Any:
    """The same pipeline in either library; their builders take the same calls."""
    pipeline = library.Pipeline()
    for name, dependencies in shape:
        pipeline = pipeline.with_stage(
            name, stage, library.StageKind.TRANSFORM, dependencies=tuple(dependencies)
        )
    return pipeline


def peer_context() -> stageflow.PipelineContext:
    return stageflow.PipelineContext(
        pipeline_run_id=uuid4(),
        request_id=uuid4(),
        session_id=None,
        user_id=None,
        org_id=None,
        interaction_id=None,
        topology="benchmark",
        execution_mode="benchmark",
        input_text="w",
    )
