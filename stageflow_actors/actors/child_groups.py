"""``ChildGroups``: the child pipelines that a deployment has up, each with its own supervisor."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, Generic, Protocol, TypeVar

logger = logging.getLogger("stageflow_actors")


class ChildGroup(Protocol):
    """The processes of one child pipeline."""

    @property
    def is_lost(self) -> bool:
        """Whether it can take no more runs."""

    async def open(self) -> Any:
        """Start it."""

    async def close(self) -> None:
        """Stop it."""

    async def describe(self) -> dict[str, Any]:
        """What it consists of."""


Group = TypeVar("Group", bound=ChildGroup)


class _Entry(Generic[Group]):
    __slots__ = ("borrowers", "group", "idle", "opening")

    def __init__(self, group: Group) -> None:
        self.group = group
        self.opening = asyncio.ensure_future(group.open())
        self.borrowers = 0
        self.idle: asyncio.TimerHandle | None = None


class ChildGroups(Generic[Group]):
    """Activated when a run asks for it, kept warm between runs, passivated after ``idle_s``.

    On closing, one that is still being activated has ``stop_timeout_s`` seconds to come to its end.
    """

    def __init__(
        self, create: Callable[[str], Group], idle_s: float, stop_timeout_s: float
    ) -> None:
        self._create = create
        self._idle_s = idle_s
        self._stop_timeout_s = stop_timeout_s
        self._entries: dict[str, _Entry[Group]] = {}
        self._closing: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def borrow(self, name: str) -> AsyncGenerator[Group]:
        """The open group of that name for one run; whatever opening it raises is raised."""
        entry = self._entries.get(name)
        if entry is None or entry.group.is_lost or _has_failed(entry):
            if entry is not None:
                self._retire(entry)
            entry = self._entries[name] = _Entry(self._create(name))
        if entry.idle is not None:
            entry.idle.cancel()
        entry.borrowers += 1
        try:
            await asyncio.shield(entry.opening)
            yield entry.group
        finally:
            entry.borrowers -= 1
            self._give_back(name, entry)

    def groups(self) -> list[Group]:
        """Those that are up."""
        return [entry.group for entry in self._entries.values()]

    async def describe(self) -> list[dict[str, Any]]:
        """Those that are up, each with its name; one that is opening or dying has nothing more."""
        entries = tuple(self._entries.items())
        described = await asyncio.gather(*(_described(name, entry) for name, entry in entries))
        return list(described)

    async def close(self) -> None:
        """Stop all."""
        for name in tuple(self._entries):
            self._retire(self._entries.pop(name))
        if self._closing:
            await asyncio.wait(set(self._closing))

    def _give_back(self, name: str, entry: _Entry[Group]) -> None:
        if entry.borrowers:
            return
        is_current = self._entries.get(name) is entry
        if is_current and (_has_failed(entry) or entry.group.is_lost):
            self._retire(self._entries.pop(name))
        elif is_current:
            loop = asyncio.get_running_loop()
            entry.idle = loop.call_later(self._idle_s, self._passivate, name, entry)

    def _passivate(self, name: str, entry: _Entry[Group]) -> None:
        if not entry.borrowers and self._entries.get(name) is entry:
            logger.debug("Child pipeline '%s' has been idle, and is stopped.", name)
            self._retire(self._entries.pop(name))

    def _retire(self, entry: _Entry[Group]) -> None:
        if entry.idle is not None:
            entry.idle.cancel()
        closing = asyncio.ensure_future(_close(entry, self._stop_timeout_s))
        self._closing.add(closing)  # the loop itself holds tasks only weakly
        closing.add_done_callback(self._closing.discard)


def _has_failed(entry: _Entry[Any]) -> bool:
    opening = entry.opening
    return opening.done() and (opening.cancelled() or opening.exception() is not None)


async def _close(entry: _Entry[Any], limit_s: float) -> None:
    try:
        await asyncio.wait({entry.opening}, timeout=limit_s)
        if entry.opening.cancel():
            await asyncio.wait({entry.opening})
        await entry.group.close()
    except Exception:
        logger.warning("A child pipeline did not close.", exc_info=True)


async def _described(name: str, entry: _Entry[Any]) -> dict[str, Any]:
    described: dict[str, Any] = {}
    if entry.opening.done() and not entry.group.is_lost:
        try:
            described = await entry.group.describe()
        except Exception:  # it died meanwhile
            logger.debug("Child pipeline '%s' cannot be described.", name, exc_info=True)
    return {**described, "pipeline": name}
