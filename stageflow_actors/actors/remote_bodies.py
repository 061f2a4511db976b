"""``RemoteBodies``: the bodies of one run on Ray: one call to a stage's process each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from stageflow_actors.actors.bodies import Ends
from stageflow_actors.actors.messages import Assignment, RunRequest
from stageflow_actors.actors.orders import Order
from stageflow_actors.actors.outlets import Outlets
from stageflow_actors.actors.stage_group import StageGroup
from stageflow_actors.actors.wire import envelope_to_wire, inputs_to_wire

_ENVELOPE_SIZE = 200
"""About how many bytes an order has on its way, beside what is the user's."""


class RemoteBodies:
    """Executes in the processes of ``group``."""

    __slots__ = (
        "_group",
        "_interrupts",
        "_is_calm",
        "_may_lease",
        "_outlets",
        "_request",
        "_view",
        "_view_size",
    )

    def __init__(
        self,
        group: StageGroup,
        request: RunRequest,
        is_calm: Callable[[], bool],
        outlets: Outlets,
        *,
        has_children: bool,
    ) -> None:
        self._group = group
        self._request = request
        self._view = tuple(request.view)
        self._view_size = request.view.size + _ENVELOPE_SIZE
        # What hooks, keys and children have to say of a stage is said before it begins.
        self._is_calm = is_calm
        self._outlets = outlets
        self._may_lease = not (request.has_hooks or request.keys or has_children)
        self._interrupts: set[asyncio.Task[None]] = set()

    def start(self, ends: Ends, stage: int, assignment: Assignment) -> bool:
        request, attempt = self._request, assignment.attempt
        if self._may_lease and self._group.may_lease(stage) and attempt == 1 and self._is_calm():
            assignment = assignment._replace(is_leased=True)
        inputs, size, has_far = inputs_to_wire(assignment)
        execution = (request.run, stage, attempt)
        order = Order(
            execution,
            envelope_to_wire(execution, self._view, request.started_ms, assignment, inputs),
            self._view_size + size,
            has_far,
            lambda receipt: ends.stage_ended(stage, attempt, receipt),
            lambda: ends.began(stage, attempt),
            self._outlets,
            request.is_background,
            assignment.is_alone,
            assignment.is_begun,
        )
        return self._group.execute(order)

    def interrupt(self, ends: Ends, stage: int, attempt: int, reason: str) -> None:
        task = asyncio.ensure_future(self._interrupt(ends, stage, attempt, reason))
        self._interrupts.add(task)  # the loop itself holds tasks only weakly
        task.add_done_callback(self._interrupts.discard)

    def skipped(self, ends: Ends, stage: int) -> None:
        pass

    def decided(self, ends: Ends) -> None:
        pass

    def kill(self, ends: Ends, stage: int, attempt: int) -> None:
        self._group.kill(stage, (self._request.run, stage, attempt))

    async def _interrupt(self, ends: Ends, stage: int, attempt: int, reason: str) -> None:
        if await self._group.interrupt(stage, (self._request.run, stage, attempt), reason):
            ends.stop_heard(stage, attempt)
