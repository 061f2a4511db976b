"""``Spares``: processes without a stage yet, ready to take the place of one that dies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import ray

_AT_ONCE = 2
"""How many start at a time: those that have work need the machine more."""


class Spares:
    """``most`` processes, or none until the first ``fill``: whoever has no deaths pays nothing."""

    def __init__(self, hire: Callable[[], Any], most: int) -> None:
        self._hire = hire
        self._most = most
        self._ready: list[Any] = []
        self._starting: list[Any] = []
        self._starts: set[asyncio.Future[None]] = set()
        self._is_stopped = False

    @property
    def ready(self) -> int:
        """How many there are now."""
        return len(self._ready)

    def take(self) -> Any | None:
        """A process that is there already, or is on its way, if one is."""
        waiting = self._ready or self._starting
        return waiting.pop(0) if waiting else None

    def fill(self) -> None:
        """Have as many as there should be, soon; what is started in this turn comes first."""
        asyncio.get_running_loop().call_soon(self._fill)

    def stop(self) -> None:
        """End those that nobody has taken."""
        self._is_stopped = True
        for actor in self._ready:
            ray.kill(actor)
        self._ready.clear()

    def _fill(self) -> None:
        while self._is_wanting() and len(self._starts) < _AT_ONCE:
            actor = self._hire()
            self._starting.append(actor)
            start = asyncio.ensure_future(actor.hello.remote())
            self._starts.add(start)
            start.add_done_callback(partial(self._started, actor))

    def _is_wanting(self) -> bool:
        return len(self._ready) + len(self._starting) < self._most and not self._is_stopped

    def _started(self, actor: Any, start: asyncio.Future[None]) -> None:
        self._starts.discard(start)
        is_free = actor in self._starting  # nobody has taken it meanwhile
        if is_free:
            self._starting.remove(actor)
        if start.cancelled() or start.exception() is not None:
            return  # whatever kept it from starting: the next death asks again
        if is_free:
            self._take_in(actor)
        self._fill()

    def _take_in(self, actor: Any) -> None:
        if self._is_stopped:
            ray.kill(actor)
            return
        self._ready.append(actor)
        asyncio.wrap_future(actor.live.remote().future()).add_done_callback(
            lambda life: self._lost(actor, life)
        )

    def _lost(self, actor: Any, life: asyncio.Future[None]) -> None:
        """It died, or lives where nobody hears of it, which is as good."""
        if not life.cancelled():
            life.exception()
        if actor in self._ready:
            self._ready.remove(actor)
