"""``Spares``: processes without a stage yet, ready to take the place of one that dies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import ray


class Spares:
    """``most`` processes, or none until the first ``fill``: whoever has no deaths pays nothing.

    They start one after the other: those that have work need the machine more.
    """

    def __init__(self, hire: Callable[[], Any], most: int) -> None:
        self._hire = hire
        self._most = most
        self._ready: list[Any] = []
        self._starting: Any | None = None
        self._filling: asyncio.Task[None] | None = None
        self._is_stopped = False

    @property
    def ready(self) -> int:
        """How many there are now."""
        return len(self._ready)

    def take(self) -> Any | None:
        """A process that is there already, or is on its way, if one is."""
        if self._ready:
            return self._ready.pop(0)
        starting, self._starting = self._starting, None
        return starting

    def fill(self) -> None:
        """Have as many as there should be, soon."""
        if self._filling is None or self._filling.done():
            self._filling = asyncio.ensure_future(self._fill())

    def stop(self) -> None:
        """End those that nobody has taken."""
        self._is_stopped = True
        for actor in self._ready:
            ray.kill(actor)
        self._ready.clear()

    async def _fill(self) -> None:
        while len(self._ready) < self._most and not self._is_stopped:
            actor = self._starting = self._hire()
            try:
                await actor.hello.remote()
            except Exception:  # whatever kept it from starting: the next death asks again
                self._starting = None
                return
            if self._starting is actor:  # nobody has taken it meanwhile
                self._starting = None
                self._take_in(actor)

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
