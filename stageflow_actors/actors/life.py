"""``Life``: a call to a process that ends only with it, so that its end is seen busy or idle."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from stageflow_actors.actors.asking import ASK_AGAIN_S
from stageflow_actors.actors.lost_calls import is_alive
from stageflow_actors.actors.ray_errors import CallFault, FaultKind, fault_of

_FOR_RAY_S = 0.05
_SHORT_S = 1.0
_MOST_UNFOLLOWED = 20


class Life:
    """``call`` makes the call; ``ended`` is called once, with what ended it.

    A call that was lost is made again, unless that happens again and again.
    """

    __slots__ = ("_call", "_ended", "_followed_at", "_is_over", "_loop", "_unfollowed")

    def __init__(self, call: Callable[[], Any], ended: Callable[[CallFault], None]) -> None:
        self._call = call
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._followed_at = 0.0
        self._unfollowed = 0
        self._is_over = False

    def follow(self) -> None:
        """Make the call."""
        self._followed_at = self._loop.time()
        life = asyncio.wrap_future(self._call().future())
        life.add_done_callback(self._answered)

    def suspect(self, pid: int | None) -> None:
        """Its socket has broken: it is dead, if it is gone when Ray has had the time to say why.

        Only Ray knows whether its machine ran out of memory, and needs long where much is going on.
        """
        self._loop.call_later(_FOR_RAY_S, self._look, pid)

    def _look(self, pid: int | None) -> None:
        if not (self._is_over or is_alive(pid)):
            self._ended(CallFault(FaultKind.DIED, "", "its process has ended"))

    def leave(self) -> None:
        """Its end is known already."""
        self._is_over = True

    def _answered(self, life: asyncio.Future[None]) -> None:
        if life.cancelled() or (error := life.exception()) is None or self._is_over:
            return
        fault = fault_of(error)
        was_short = self._loop.time() < self._followed_at + _SHORT_S
        self._unfollowed = self._unfollowed + 1 if was_short else 1
        if fault.kind is FaultKind.UNANSWERED and self._unfollowed <= _MOST_UNFOLLOWED:
            self._loop.call_later(ASK_AGAIN_S, self.follow)
        else:
            self._ended(fault)
