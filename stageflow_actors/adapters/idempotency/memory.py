"""``InMemoryIdempotencyStore``: keys and answers of this process, gone with it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from stageflow_actors.adapters.idempotency.watching import KeyWatch
from stageflow_actors.model.claims import Claim, ClaimState

_ABANDONED_S = 3_600.0
"""An owner may come late as long as nobody has taken its key; after this it is forgotten."""
_MAX_SWEPT = 100
"""Outdated entries of each kind that one claim removes."""


class _Pending(NamedTuple):
    owner: str
    params: str
    lease_ends_at: float


class _Answer(NamedTuple):
    params: str
    text: str
    expires_at: float


@dataclass(frozen=True, slots=True)
class MemoryStatistics:
    """Keys worked on and answers kept now; answers ``evicted`` so far to make room for others."""

    pending: int
    answers: int
    evicted: int


class InMemoryIdempotencyStore:
    """An ``IdempotencyStore`` for one process. Usable from any event loop and thread.

    Beyond ``max_answers`` the oldest answers leave, and are counted; their keys are free then. Keys
    that somebody works on never leave. ``clock`` gives seconds.

    Raises:
        ValueError: ``max_answers`` is less than 1.
        RuntimeFault: it was closed (``IDEMPOTENCY-STORE``).
    """

    def __init__(
        self, *, max_answers: int = 10_000, clock: Callable[[], float] = time.time
    ) -> None:
        if max_answers < 1:
            raise ValueError(f"max_answers must be 1 or more, got {max_answers!r}")
        self._max_answers = max_answers
        self._clock = clock
        self._lock = threading.Lock()
        # Both in the order in which they were last written, which is about that of their ends.
        self._pending: OrderedDict[str, _Pending] = OrderedDict()
        self._answers: OrderedDict[str, _Answer] = OrderedDict()
        self._evicted = 0
        self._watch = KeyWatch()

    @property
    def statistics(self) -> MemoryStatistics:
        """What is kept, and what had to leave."""
        with self._lock:
            return MemoryStatistics(len(self._pending), len(self._answers), self._evicted)

    async def claim(self, key: str, params: str, owner: str, lease_s: float) -> Claim:
        self._watch.check_open()
        with self._lock:
            now = self._clock()
            self._sweep(now)
            answer = self._answers.get(key)
            if answer is not None and answer.expires_at > now:
                return Claim(ClaimState.ANSWERED, answer.text, answer.params)
            pending = self._pending.get(key)
            if pending is not None and pending.lease_ends_at > now:
                return Claim(ClaimState.PENDING, None, pending.params)
            self._answers.pop(key, None)
            self._put(key, _Pending(owner, params, now + lease_s))
            return Claim(ClaimState.OWNED, None, params)

    async def renew(self, key: str, owner: str, lease_s: float) -> bool:
        self._watch.check_open()
        with self._lock:
            pending = self._owned(key, owner)
            if pending is None:
                return False
            self._put(key, pending._replace(lease_ends_at=self._clock() + lease_s))
            return True

    async def complete(self, key: str, owner: str, answer: str, ttl_s: float) -> bool:
        self._watch.check_open()
        with self._lock:
            pending = self._owned(key, owner)
            if pending is None:
                return False
            del self._pending[key]
            self._answers[key] = _Answer(pending.params, answer, self._clock() + ttl_s)
            if len(self._answers) > self._max_answers:
                self._answers.popitem(last=False)
                self._evicted += 1
        self._watch.wake(key)
        return True

    async def release(self, key: str, owner: str) -> None:
        self._watch.check_open()
        with self._lock:
            if self._owned(key, owner) is None:
                return
            del self._pending[key]
        self._watch.wake(key)

    async def changed(self, key: str) -> None:
        while True:
            with self._watch.waiting(key) as woken:
                self._watch.check_open()
                with self._lock:
                    pending = self._pending.get(key)
                    left_s = 0.0 if pending is None else pending.lease_ends_at - self._clock()
                if left_s <= 0:
                    return
                await asyncio.wait([woken], timeout=left_s)

    async def close(self) -> None:
        self._watch.close()

    def _owned(self, key: str, owner: str) -> _Pending | None:
        pending = self._pending.get(key)
        return pending if pending is not None and pending.owner == owner else None

    def _put(self, key: str, pending: _Pending) -> None:
        self._pending[key] = pending
        self._pending.move_to_end(key)

    def _sweep(self, now: float) -> None:
        for _ in range(_MAX_SWEPT):
            first = next(iter(self._answers.values()), None)
            if first is None or first.expires_at > now:
                break
            self._answers.popitem(last=False)
        for _ in range(_MAX_SWEPT):
            oldest = next(iter(self._pending.values()), None)
            if oldest is None or oldest.lease_ends_at > now - _ABANDONED_S:
                break
            self._pending.popitem(last=False)
