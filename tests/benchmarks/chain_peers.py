"""A chain of stages that say one line each, as peers in this process do it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypedDict

import stageflow

from tests.benchmarks.local_runs import chain, declare, peer_context
from tests.benchmarks.measure import Action

LANGGRAPH = "LangGraph"
SAID = {"text": "said"}


class _State(TypedDict):
    text: str


def compile_chain(state: type[Any], node: Callable[[Any], Awaitable[Any]], length: int) -> Any:
    """A graph of so many equal nodes, one after the other."""
    from langgraph.graph import END, START, StateGraph

    graph: Any = StateGraph(state)
    names = [name for name, _before in chain(length)]
    for name in names:
        graph.add_node(name, node)
    for before, after in zip([START, *names], [*names, END], strict=True):
        graph.add_edge(before, after)
    return graph.compile()


def burst_in_langgraph(runs: int, stages: int) -> Action:
    """All runs at once."""

    async def node(state: _State) -> _State:
        return {"text": "said"}

    compiled = compile_chain(_State, node, stages)

    async def run_once() -> None:
        assert await compiled.ainvoke({"text": "w"}) == SAID

    return burst(run_once, runs)


def burst_in_core(runs: int, stages: int) -> Action:
    """All runs at once."""

    async def say(ctx: stageflow.StageContext) -> stageflow.StageOutput:
        return stageflow.StageOutput.ok(text="said")

    graph = declare(stageflow, say, chain(stages)).build()

    async def run_once() -> None:
        results = await graph.run(peer_context())
        assert results[f"s{stages - 1}"].data == SAID

    return burst(run_once, runs)


def burst(run_once: Callable[[], Awaitable[Any]], runs: int) -> Action:
    """So many runs at once, to the end of the last."""

    async def run_all() -> None:
        await asyncio.gather(*(run_once() for _ in range(runs)))

    return run_all
