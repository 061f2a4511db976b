"""``VirtualClock``: time that passes only when nothing is left to do at the present moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from random import Random


@dataclass(eq=False, slots=True)
class Alarm:
    """Something that is to happen; ``order`` counts what was scheduled, from 0."""

    at: float
    order: int
    action: Callable[[], None]
    is_cancelled: bool = False


class VirtualClock:
    """A queue of actions by time. What is due at one time happens in an order that chance draws.

    ``now`` is in seconds, starts at 0 and never goes back.
    """

    def __init__(self, random: Random) -> None:
        self.now = 0.0
        self._random = random
        self._queue: list[tuple[float, float, int, Alarm]] = []
        self._scheduled = 0

    def schedule(self, delay_s: float, action: Callable[[], None]) -> Alarm:
        """Have ``action`` called after so many seconds, at least 0."""
        alarm = Alarm(self.now + max(delay_s, 0.0), self._scheduled, action)
        heappush(self._queue, (alarm.at, self._random.random(), alarm.order, alarm))
        self._scheduled += 1
        return alarm

    def next_at(self) -> float | None:
        """When the next action is due; ``None`` where there is none."""
        while self._queue and self._queue[0][3].is_cancelled:
            heappop(self._queue)
        return self._queue[0][0] if self._queue else None

    def step(self) -> bool:
        """Go to the next action and call it; whether there was one."""
        if self.next_at() is None:
            return False
        at, _tie, _order, alarm = heappop(self._queue)
        self.now = at
        alarm.action()
        return True
