"""``DeliveryQueue``: an ``EventBuffer`` between any threads and the one that delivers."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from stageflow_actors.adapters.analytics.buffer import EventBuffer, Notice, Offer, PackedEvent
from stageflow_actors.adapters.analytics.statistics import AnalyticsStatistics
from stageflow_actors.adapters.event_queue import stopped_error

T = TypeVar("T")


def _undecided() -> Future[T]:
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()  # so that no waiter's cancel reaches it
    return future


@dataclass(eq=False, slots=True)
class WaitingEvent:
    """An audit event that waits for a place."""

    event: PackedEvent
    placed: Future[None] = field(default_factory=_undecided)


@dataclass(eq=False, slots=True)
class Flush:
    """Somebody who waits until the events up to ``goal`` are gone."""

    goal: int
    attempt: int
    """How many attempts had begun before: only a later one that fails answers it."""

    done: Future[bool] = field(default_factory=_undecided)


class DeliveryQueue:
    """Takes events from any thread; one coroutine takes them out, batch by batch."""

    def __init__(self, buffer: EventBuffer, batch_size: int) -> None:
        self._buffer = buffer
        self._batch_size = batch_size
        self._lock = threading.Lock()
        self._for_room: deque[WaitingEvent] = deque()
        self._flushes: list[Flush] = []
        self._attempts = self._failed_attempts = self._refused = 0
        self._is_closed = self._is_given_up = self._is_hurried = False
        self._wake_deliverer: Callable[[], object] | None = None
        self._wakes_at = 0

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    def statistics(self, overflow_errors: int) -> AnalyticsStatistics:
        """What has become of every event so far."""
        with self._lock:
            buffer = self._buffer
            return AnalyticsStatistics(
                accepted=buffer.accepted,
                exported=buffer.exported,
                dropped=buffer.dropped,
                left=buffer.left,
                buffered=buffer.buffered,
                buffered_bytes=buffer.bytes,
                waiting=len(self._for_room),
                refused=self._refused,
                failed_exports=self._failed_attempts,
                overflow_errors=overflow_errors,
            )

    def offer(self, event: PackedEvent) -> Offer:
        """Keep or drop the event now; ``NO_ROOM``: it was refused."""
        with self._lock:
            offer = self._offer(event)
            self._refused += offer is Offer.NO_ROOM
            return offer

    def offer_or_wait(self, event: PackedEvent) -> WaitingEvent | None:
        """Keep or drop the event now, or let it wait for a place.

        Raises:
            RuntimeFault: the queue is closed (``SINK-CLOSED``).
        """
        with self._lock:
            if self._is_closed:
                self._refused += 1
                raise stopped_error()
            if self._offer(event) is not Offer.NO_ROOM:
                return None
            waiting = WaitingEvent(event)
            self._for_room.append(waiting)
            return waiting

    def withdraw(self, waiting: WaitingEvent) -> None:
        """Refuse an event that still waits for a place; without effect once it has one."""
        with self._lock:
            if waiting in self._for_room:
                self._for_room.remove(waiting)
                self._refused += 1

    def take_notices(self) -> list[Notice]:
        """What ``on_overflow`` has not been told yet."""
        with self._lock:
            notices = list(self._buffer.notices)
            self._buffer.notices.clear()
            return notices

    def flush(self) -> Flush:
        """Have what is buffered now delivered at once."""
        with self._lock:
            flush = Flush(self._buffer.last_number, self._attempts)
            self._flushes.append(flush)
            self._answer_flushes()
            self._hurry()
            return flush

    def forget(self, flush: Flush) -> None:
        """Nobody waits for it any more."""
        with self._lock:
            if flush in self._flushes:
                self._flushes.remove(flush)

    def close(self) -> None:
        """Take no more events; those that wait for a place still get one."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._hurry()

    def give_up(self) -> list[PackedEvent]:
        """End the account: whatever is left, and was not handed out here before."""
        with self._lock:
            self._is_closed = self._is_given_up = True
            self._answer_flushes(is_final=True)
            left = self._buffer.give_up()
            waiting = list(self._for_room)
            self._for_room.clear()
            self._refused += len(waiting)
            self._hurry()
        for each in waiting:
            each.placed.set_exception(stopped_error())
        return left

    # --- for the coroutine that delivers ----------------------------------------------------------

    async def wait_until_due(self, gathering_s: float) -> bool:
        """Wait for a full batch, or ``gathering_s`` for less; ``False``: nothing will come."""
        deadline: float | None = None
        loop = asyncio.get_running_loop()
        while True:
            with self._lock:
                if self._is_given_up or (self._is_closed and not self._buffer.queued):
                    return False
                if self._is_due():
                    return True
                if self._buffer.queued and deadline is None:
                    deadline = loop.time() + gathering_s
                news = self._news(self._batch_size if self._buffer.queued else 1)
            if not await self._comes_before(news, deadline):
                return True

    def take(self) -> list[PackedEvent]:
        """Begin an attempt to deliver these."""
        with self._lock:
            self._attempts += 1
            self._is_hurried = False
            return [] if self._is_given_up else self._buffer.take(self._batch_size)

    def settle(self, *, is_exported: bool) -> None:
        """End the attempt."""
        with self._lock:
            if self._is_given_up:
                return
            self._failed_attempts += not is_exported
            if is_exported:
                self._buffer.confirm()
            else:
                self._buffer.put_back()
            while self._for_room and self._place(self._for_room[0].event) is not Offer.NO_ROOM:
                self._for_room.popleft().placed.set_result(None)
            self._answer_flushes(is_failed=not is_exported)

    async def pause(self, seconds: float) -> None:
        """Wait before the next attempt, unless somebody is in a hurry."""
        with self._lock:
            if self._is_hurried:
                return
            news = self._news(0)
        await self._comes_before(news, asyncio.get_running_loop().time() + seconds)

    async def _comes_before(self, news: asyncio.Event, deadline: float | None) -> bool:
        """Whether there was news, and not the deadline, on the clock of the loop."""
        try:
            async with asyncio.timeout_at(deadline):
                await news.wait()
        except TimeoutError:
            return False
        finally:
            with self._lock:
                self._wakes_at = 0
                self._wake_deliverer = None  # its loop may end before anybody would call it
        return True

    # --- with the lock held -----------------------------------------------------------------------

    def _offer(self, event: PackedEvent) -> Offer:
        if self._is_closed or (event.is_audit and self._for_room):  # others came before it
            return Offer.NO_ROOM
        return self._place(event)

    def _place(self, event: PackedEvent) -> Offer:
        offer = self._buffer.offer(event)
        if self._wakes_at and self._buffer.queued >= self._wakes_at:
            self._wake()
        self._answer_flushes()  # what they wait for may have been dropped
        return offer

    def _is_due(self) -> bool:
        queued = self._buffer.queued
        return queued > 0 and (queued >= self._batch_size or self._is_closed or bool(self._flushes))

    def _answer_flushes(self, *, is_failed: bool = False, is_final: bool = False) -> None:
        if not self._flushes:
            return
        waiting = []
        for flush in self._flushes:
            if self._buffer.first_number > flush.goal:
                flush.done.set_result(True)
            elif is_final or (is_failed and flush.attempt < self._attempts):
                flush.done.set_result(False)
            else:
                waiting.append(flush)
        self._flushes = waiting

    def _hurry(self) -> None:
        self._is_hurried = True
        self._wake()

    def _news(self, wakes_at: int) -> asyncio.Event:
        """Set once so many events are queued, if that is not 0, or somebody is in a hurry."""
        news = asyncio.Event()
        self._wakes_at = wakes_at
        loop = asyncio.get_running_loop()
        self._wake_deliverer = partial(loop.call_soon_threadsafe, news.set)
        return news

    def _wake(self) -> None:
        self._wakes_at = 0
        if self._wake_deliverer is not None:
            self._wake_deliverer()
            self._wake_deliverer = None
