"""``Turns``: at most so many executions of a stage at a time in one process; the others wait."""

from __future__ import annotations

import asyncio
import time

from stageflow_actors.actors.codec import Payload
from stageflow_actors.actors.messages import Assignment, Receipt
from stageflow_actors.actors.sealing import open_view
from stageflow_actors.engine.fair_queue import FairQueue
from stageflow_actors.model.cancellation import Cancellation
from stageflow_actors.model.run_view import RunView

_Turn = tuple[Cancellation, "asyncio.Future[bool]"]
"""An execution that waits, and whether it may begin."""


class Turns:
    """Whoever has a turn ends it. Runs take turns, interactive ones go before background ones.

    An execution goes by its ``Cancellation``. Everything here happens on one event loop.
    """

    __slots__ = ("_limit", "_queue", "_taken")

    def __init__(self, limit: int, background_share: int) -> None:
        self._limit = limit
        self._queue: FairQueue[Cancellation, _Turn] = FairQueue(background_share)
        self._taken: set[Cancellation] = set()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._queue)

    async def come(
        self, execution: Cancellation, view: RunView | Payload, work: Assignment
    ) -> Assignment | Receipt:
        """Wait for its turn. What is left of ``work`` then; its end, if it was told to stop."""
        if len(self._taken) < self._limit:  # then nobody waits
            self._taken.add(execution)
            return work
        asked_at = time.monotonic()
        run, is_background = _place_of(view)
        if not await self._wait(execution, run, is_background=is_background):
            now = time.time()
            return Receipt.interrupted(execution.reason, now, now)
        if work.remaining_s is None:
            return work
        return work._replace(remaining_s=work.remaining_s - (time.monotonic() - asked_at))

    def end(self, execution: Cancellation) -> None:
        """Let others have its turn; nothing where it has none, or has ended it before."""
        if execution not in self._taken:
            return
        self._taken.discard(execution)
        while self._queue.has_next and len(self._taken) < self._limit:
            waiting, turn = self._queue.take()
            if not turn.done():
                self._taken.add(waiting)
                turn.set_result(True)

    async def _wait(self, execution: Cancellation, run: str, *, is_background: bool) -> bool:
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._queue.put(execution, run, (execution, turn), is_background=is_background)

        def leave(_reason: str) -> None:
            self._take_back(execution)

        execution.watch(leave)
        try:
            return await turn
        except asyncio.CancelledError:  # the event loop ends
            self._take_back(execution)
            self.end(execution)
            raise
        finally:
            execution.unwatch(leave)

    def _take_back(self, execution: Cancellation) -> None:
        waiting = self._queue.remove(execution)
        if waiting is not None and not waiting[1].done():
            waiting[1].set_result(False)


def _place_of(sealed: RunView | Payload) -> tuple[str, bool]:
    """The run that an execution belongs to, and whether that is a background one."""
    try:
        view = open_view(sealed)
    except Exception:  # it fails once its turn has come
        return "", False
    return str(view.snapshot.pipeline_run_id), view.is_background
