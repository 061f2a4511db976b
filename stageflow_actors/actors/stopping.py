"""In which order stages stop: whoever reads from a stage stops before it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from stageflow_actors.model.plan import StagePlan


async def stop_in_order(
    stages: Sequence[StagePlan], stop: Callable[[int], Awaitable[None]], limit_s: float
) -> int:
    """Call ``stop`` for every stage, after its dependents have stopped; how many were too late.

    All together may take ``limit_s`` seconds. When half of them are over, no stage waits for others
    any more: one that does not stop must not cost the rest their turn.
    """
    if not stages:
        return 0
    half = asyncio.Event()
    handle = asyncio.get_running_loop().call_later(limit_s / 2, half.set)
    waiver = asyncio.ensure_future(half.wait())
    stopped: dict[int, asyncio.Task[None]] = {}

    async def in_turn(index: int) -> None:
        before = [stopped[each] for each in stages[index].dependents]
        if before:
            turn: set[asyncio.Future[Any]] = {
                asyncio.gather(*before, return_exceptions=True),
                waiver,
            }
            await asyncio.wait(turn, return_when=asyncio.FIRST_COMPLETED)
        await stop(index)

    for index in reversed(range(len(stages))):  # dependents come later in a plan
        stopped[index] = asyncio.ensure_future(in_turn(index))
    try:
        _done, late = await asyncio.wait(stopped.values(), timeout=limit_s)
    finally:
        handle.cancel()
        waiver.cancel()
    for task in late:
        task.cancel()
    return len(late)
