"""``RemoteBodies``: the bodies of one run on Ray: one call to a stage's process each."""

from __future__ import annotations

import asyncio

from stageflow_actors.actors.bodies import Ends
from stageflow_actors.actors.messages import Assignment, RunRequest
from stageflow_actors.actors.orders import Order
from stageflow_actors.actors.stage_group import StageGroup


class RemoteBodies:
    """Executes in the processes of ``group``."""

    __slots__ = ("_group", "_interrupts", "_request")

    def __init__(self, group: StageGroup, request: RunRequest) -> None:
        self._group = group
        self._request = request
        self._interrupts: set[asyncio.Task[None]] = set()

    def start(self, ends: Ends, stage: int, assignment: Assignment) -> bool:
        request, attempt = self._request, assignment.attempt
        order = Order(
            request.run,
            request.view,
            request.started_ms,
            assignment,
            deliver=lambda receipt: ends.stage_ended(stage, attempt, receipt),
            begun=lambda: ends.began(stage, attempt),
        )
        return self._group.execute(stage, order)

    def interrupt(self, ends: Ends, stage: int, attempt: int, reason: str) -> None:
        task = asyncio.ensure_future(self._interrupt(ends, stage, attempt, reason))
        self._interrupts.add(task)  # the loop itself holds tasks only weakly
        task.add_done_callback(self._interrupts.discard)

    def skipped(self, ends: Ends, stage: int) -> None:
        pass

    def decided(self, ends: Ends) -> None:
        pass

    def kill(self, ends: Ends, stage: int, attempt: int) -> None:
        self._group.kill(stage, (self._request.run, attempt))

    async def _interrupt(self, ends: Ends, stage: int, attempt: int, reason: str) -> None:
        if await self._group.interrupt(stage, (self._request.run, attempt), reason):
            ends.stop_heard(stage, attempt)
