"""The same work done as users do it now: in LangGraph, and blocking in stageflow-core."""

from __future__ import annotations

import operator
import time
from collections.abc import AsyncIterator
from typing import Annotated, TypedDict

import stageflow

import stageflow_actors
from stageflow_actors import LocalRuntime, flush_events
from tests.benchmarks.chain_peers import LANGGRAPH, compile_chain
from tests.benchmarks.figures import Figure, Row, timed_figure
from tests.benchmarks.local_runs import PEER, chain, declare, our_runs, peer_context
from tests.benchmarks.measure import Action, Comparison, Effort, Rounds, compare, timed

_LENGTH = 100
_BLOCKED_S = 0.1


class _State(TypedDict):
    done: Annotated[int, operator.add]


async def rows(effort: Effort) -> AsyncIterator[Row]:
    """Stages that block, and a chain of nodes."""
    yield await blocking_stages(
        effort.of(Rounds(effort.pairs, turns=2), Rounds(effort.pairs, turns=1, warm_up=1))
    )
    yield await chain_in_langgraph(Rounds(effort.pairs, turns=5))


async def chain_in_langgraph(rounds: Rounds) -> Figure:
    """A chain of 100 stages against one of 100 nodes."""
    scale = 1e6 / _LENGTH
    async with our_runs(chain(_LENGTH)) as run_ours:
        ours = timed(run_ours, scale, flush_events)
        measured = await compare(ours, timed(_langgraph_chain(), scale), rounds)
    name = "Local chain of 100, per stage"
    return timed_figure(name, "us", LANGGRAPH, measured, at_most=1.0)


async def blocking_stages(rounds: Rounds) -> Figure:
    """Two stages side by side that block for 100 ms each, as a plain client library does."""
    measured = await _blocking(rounds)
    name = "Two stages that block for 100 ms, side by side"
    return timed_figure(name, "ms", PEER, measured, at_most=0.6)


async def _blocking(rounds: Rounds) -> Comparison:
    shape = [("left", ()), ("right", ())]

    def block(ctx: stageflow_actors.StageContext) -> None:
        time.sleep(_BLOCKED_S)

    async def block_the_loop(ctx: stageflow.StageContext) -> None:
        time.sleep(_BLOCKED_S)  # its stages are coroutines; what blocks inside blocks the loop

    graph = declare(stageflow, block_the_loop, shape).build()
    async with LocalRuntime().deploy(declare(stageflow_actors, block, shape)) as app:

        async def run_ours() -> None:
            assert len(await app.run(input_text="w")) == len(shape)

        async def run_peer() -> None:
            assert len(await graph.run(peer_context())) == len(shape)

        return await compare(timed(run_ours, 1e3, flush_events), timed(run_peer, 1e3), rounds)


def _langgraph_chain() -> Action:
    async def node(state: _State) -> _State:
        return {"done": 1}

    compiled = compile_chain(_State, node, _LENGTH)

    async def run() -> None:
        reached = await compiled.ainvoke({"done": 0}, {"recursion_limit": 2 * _LENGTH})
        assert reached["done"] == _LENGTH

    return run
