"""``WarmDeployments``: deployments that stay up between runs, so that only the first one waits."""

from __future__ import annotations

import asyncio
import hashlib
import pickle
import threading
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from stageflow_actors.actors.codec import Payload
from stageflow_actors.actors.deployment import Deployment
from stageflow_actors.model.plan import Plan

Key = tuple[str, str]
"""Digest of the plan, digest of the code."""


@dataclass(slots=True)
class _Entry:
    """One deployment. ``opened`` resolves when it is open, for whoever did not open it."""

    deployment: Deployment
    opened: Future[None] = field(default_factory=Future)
    borrowers: int = 0
    idle_since: float = 0.0


class WarmDeployments:
    """Keyed by plan and pickled code. Safe to use from any number of threads and event loops.

    The same plan with other code is an edit: the former deployment closes as soon as it is idle. Of
    the others, at most ``max_idle`` stay up; the one idle for longest closes first.
    """

    def __init__(self, max_idle: int) -> None:
        self._max_idle = max_idle
        self._entries: dict[Key, _Entry] = {}
        self._newest_code: dict[str, str] = {}
        self._lock = threading.Lock()

    @asynccontextmanager
    async def borrow(
        self, plan: Plan, code: Sequence[Payload], create: Callable[[], Deployment]
    ) -> AsyncGenerator[Deployment]:
        """An open deployment, created where there is none; it stays up for the next borrower."""
        key = _key_of(plan, code)
        entry, is_new = self._take(key, create)
        try:
            await self._opened(key, entry, is_new)
            yield entry.deployment
        finally:
            for deployment in self._give_back(key, entry):
                await deployment.close()

    async def close(self) -> None:
        """Close every deployment that nobody borrows."""
        with self._lock:
            idle = [key for key, entry in self._entries.items() if not entry.borrowers]
            deployments = [self._entries.pop(key).deployment for key in idle]
        for deployment in deployments:
            await deployment.close()

    def _take(self, key: Key, create: Callable[[], Deployment]) -> tuple[_Entry, bool]:
        with self._lock:
            self._newest_code[key[0]] = key[1]
            entry = self._entries.get(key)
            is_new = entry is None
            if entry is None:
                entry = self._entries[key] = _Entry(create())
            entry.borrowers += 1
            return entry, is_new

    async def _opened(self, key: Key, entry: _Entry, is_new: bool) -> None:
        if not is_new:
            await asyncio.shield(asyncio.wrap_future(entry.opened))
            return
        try:
            await entry.deployment.open()
        except BaseException as error:
            self._forget(key, entry)
            entry.opened.set_exception(error)
            raise
        entry.opened.set_result(None)

    def _give_back(self, key: Key, entry: _Entry) -> list[Deployment]:
        """Return a borrowed entry; what has to close now comes back."""
        with self._lock:
            entry.borrowers -= 1
            entry.idle_since = time.monotonic()
            if entry.deployment.is_lost and self._entries.get(key) is entry:
                del self._entries[key]
            closing = [self._entries.pop(surplus).deployment for surplus in self._surplus()]
            kept = {plan for plan, _code in self._entries}
            self._newest_code = {p: c for p, c in self._newest_code.items() if p in kept}
            return closing

    def _surplus(self) -> list[Key]:
        idle = [key for key, entry in self._entries.items() if not entry.borrowers]
        edited = [key for key in idle if self._newest_code[key[0]] != key[1]]
        current = [key for key in idle if key not in edited]
        current.sort(key=lambda key: self._entries[key].idle_since)
        return [*edited, *current[: max(0, len(current) - self._max_idle)]]

    def _forget(self, key: Key, entry: _Entry) -> None:
        with self._lock:
            if self._entries.get(key) is entry:
                del self._entries[key]


def _key_of(plan: Plan, code: Sequence[Payload]) -> Key:
    by_value = hashlib.sha256()
    for payload in code:
        by_value.update(payload.head)
        for buffer in payload.buffers:
            by_value.update(buffer)
    return hashlib.sha256(pickle.dumps(plan)).hexdigest(), by_value.hexdigest()
