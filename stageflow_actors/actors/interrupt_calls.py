"""``InterruptCalls``: those of one turn of the event loop, for one process, in one call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping

from stageflow_actors.actors.messages import Execution

Call = Callable[[Mapping[Execution, str]], Awaitable[Collection[Execution]]]
"""Passes interrupts on, each with its reason; which executions are heeding theirs."""


class InterruptCalls:
    """``made`` counts the calls. One that fails is heeded by nobody: a dead process needs none."""

    __slots__ = ("_call", "_calling", "_reasons", "made")

    def __init__(self, call: Call) -> None:
        self._call = call
        self._reasons: dict[Execution, str] | None = None
        self._calling: asyncio.Task[Collection[Execution]]
        self.made = 0

    async def interrupt(self, execution: Execution, reason: str) -> bool:
        """Pass an interrupt on; whether the body is heeding it."""
        if self._reasons is None:
            self._reasons = {}
            self._calling = asyncio.get_running_loop().create_task(self._call_for_all())
        self._reasons[execution] = reason
        return execution in await asyncio.shield(self._calling)

    async def _call_for_all(self) -> Collection[Execution]:
        await asyncio.sleep(0)
        reasons, self._reasons = self._reasons, None
        assert reasons is not None, "somebody has asked for this call"
        self.made += 1
        try:
            return await self._call(reasons)
        except Exception:
            return ()
