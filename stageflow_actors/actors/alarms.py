"""``Alarms``: the timers of one run, on one timer of the event loop.

Nearly all are disarmed long before their time. Setting and cancelling one of the loop's own for
each would cost more than the rest of a small stage.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from heapq import heapify, heappop, heappush

from stageflow_actors.engine.facts import Timer

_MOST_IDLE = 64
"""Disarmed timers that may stay in the queue beside as many armed ones."""


class Alarms:
    """Calls ``fire`` with each timer when its time has come, unless it is disarmed before."""

    __slots__ = ("_armed", "_fire", "_loop", "_next", "_next_at", "_queue")

    def __init__(self, loop: asyncio.AbstractEventLoop, fire: Callable[[Timer], None]) -> None:
        self._loop = loop
        self._fire = fire
        self._armed: dict[Timer, float] = {}
        self._queue: list[tuple[float, Timer]] = []
        self._next: asyncio.Handle | None = None
        self._next_at = 0.0

    def arm(self, timer: Timer, seconds: float) -> None:
        """Have it fire after so many seconds; arming it again forgets the first time."""
        at = self._loop.time() + seconds
        self._armed[timer] = at
        heappush(self._queue, (at, timer))
        if self._next is None or at < self._next_at:
            self._wait_until(at)

    def disarm(self, timer: Timer) -> None:
        """Have it not fire, if it has not yet."""
        self._armed.pop(timer, None)
        if not self._armed:
            self._queue.clear()  # a chain has one at a time: what it keeps, the collector walks
        elif len(self._queue) > 2 * len(self._armed) + _MOST_IDLE:
            self._queue = [entry for entry in self._queue if self._armed.get(entry[1]) == entry[0]]
            heapify(self._queue)

    def clear(self) -> None:
        """Have none fire, ever."""
        self._fire = _nothing
        self._armed.clear()
        self._queue.clear()
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _wait_until(self, at: float) -> None:
        if self._next is not None:
            self._next.cancel()
        # Some event loops give no timer back for what is due already, so its time is kept here.
        self._next, self._next_at = self._loop.call_at(at, self._ring), at

    def _ring(self) -> None:
        self._next = None
        now = self._loop.time()
        while self._queue:
            at, timer = self._queue[0]
            is_armed = self._armed.get(timer) == at
            if is_armed and at > now:
                self._wait_until(at)
                return
            heappop(self._queue)
            if is_armed:
                del self._armed[timer]
                self._fire(timer)


def _nothing(timer: Timer) -> None:
    """For one that has ended: it keeps nobody alive."""
