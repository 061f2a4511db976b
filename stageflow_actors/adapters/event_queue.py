"""``EventQueue``: a bounded queue from any thread to one event loop, with exact counts."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from stageflow_actors.errors import RuntimeFault


@dataclass(frozen=True, slots=True)
class BackpressureMetrics:
    """Exact counts: ``emitted == delivered + failed + dropped + waiting``."""

    emitted: int = 0
    delivered: int = 0
    failed: int = 0
    dropped: int = 0
    waiting: int = 0

    @property
    def drop_rate(self) -> float:
        """How many of 100 events were dropped."""
        return 100.0 * self.dropped / self.emitted if self.emitted else 0.0

    def to_dict(self) -> dict[str, float]:
        """Plain, JSON-ready form."""
        return {**asdict(self), "drop_rate_percent": round(self.drop_rate, 2)}


def _undecided() -> Future[None]:
    future: Future[None] = Future()
    future.set_running_or_notify_cancel()  # so that no waiter's cancel reaches it
    return future


@dataclass(eq=False, slots=True)
class QueuedEvent:
    """An event on its way; ``accepted`` is done once it has a place in the queue."""

    type: str
    data: Mapping[str, Any] | None
    accepted: Future[None] = field(default_factory=_undecided)


class EventQueue:
    """At most ``max_size`` events are undecided: queued, or taken and not yet settled."""

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._lock = threading.Lock()
        self._queued: deque[QueuedEvent] = deque()
        self._for_room: deque[QueuedEvent] = deque()
        self._taken = 0
        self._emitted = self._delivered = self._failed = self._dropped = 0
        self._is_closed = False
        self._wake_taker: Callable[[], object] | None = None

    @property
    def metrics(self) -> BackpressureMetrics:
        """What has become of every event so far."""
        with self._lock:
            waiting = self._taken + len(self._queued) + len(self._for_room)
            return BackpressureMetrics(
                self._emitted, self._delivered, self._failed, self._dropped, waiting
            )

    def put(self, event: QueuedEvent, *, may_wait: bool) -> bool:
        """Give ``event`` a place, now or (``may_wait``) later; ``False`` if it was dropped."""
        with self._lock:
            self._emitted += 1
            if not self._is_closed:
                if self._taken + len(self._queued) < self._max_size:
                    self._accept(event)
                    return True
                if may_wait:
                    self._for_room.append(event)
                    return True
            self._dropped += 1
            return False

    def withdraw(self, event: QueuedEvent) -> bool:
        """Drop ``event`` if it still waits for a place; whether it did."""
        with self._lock:
            if event not in self._for_room:
                return False
            self._for_room.remove(event)
            self._dropped += 1
            return True

    async def take(self) -> QueuedEvent | None:
        """The next event, to be settled before the next call; ``None`` when no more will come."""
        while True:
            with self._lock:
                if self._queued:
                    self._taken = 1
                    return self._queued.popleft()
                if self._is_closed:
                    return None
                news = asyncio.Event()
                loop = asyncio.get_running_loop()
                self._wake_taker = partial(loop.call_soon_threadsafe, news.set)
            await news.wait()

    def settle(self, *, is_delivered: bool) -> None:
        """Say what became of the event taken; its place goes to whoever waits longest."""
        with self._lock:
            self._taken = 0
            if is_delivered:
                self._delivered += 1
            else:
                self._failed += 1
            if self._for_room:
                self._accept(self._for_room.popleft())

    def close(self) -> None:
        """Take no more events; those that wait for a place still get one."""
        with self._lock:
            self._is_closed = True
            self._wake()

    def drop_all(self) -> list[QueuedEvent]:
        """Drop what nobody has taken; whoever waits for a place gets ``SINK-CLOSED``."""
        with self._lock:
            waiting = list(self._for_room)
            dropped = [*self._queued, *waiting]
            self._queued.clear()
            self._for_room.clear()
            self._dropped += len(dropped)
        for event in waiting:
            event.accepted.set_exception(stopped_error())
        return dropped

    def _accept(self, event: QueuedEvent) -> None:
        self._queued.append(event)
        event.accepted.set_result(None)
        self._wake()

    def _wake(self) -> None:
        if self._wake_taker is not None:
            self._wake_taker()
            self._wake_taker = None


def stopped_error() -> RuntimeFault:
    """What ``emit`` raises on a sink that was stopped."""
    return RuntimeFault(
        "The sink was stopped.",
        hint="Stop it after the runtime that feeds it.",
        code="SINK-CLOSED",
    )
