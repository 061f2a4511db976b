"""``BufferedExporter``: events gathered into batches, kept while an exporter fails."""

from __future__ import annotations

import asyncio
import atexit
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import wait
from types import TracebackType
from typing import Self

from stageflow_actors.adapters.analytics.buffer import (
    BufferLimits,
    EventBuffer,
    Offer,
    PackedEvent,
)
from stageflow_actors.adapters.analytics.delivery import GRACE_S, Delivery
from stageflow_actors.adapters.analytics.event import AnalyticsEvent
from stageflow_actors.adapters.analytics.exporter import AnalyticsExporter
from stageflow_actors.adapters.analytics.pauses import Pauses
from stageflow_actors.adapters.analytics.queue import DeliveryQueue, WaitingEvent
from stageflow_actors.adapters.analytics.statistics import AnalyticsStatistics
from stageflow_actors.adapters.routing import EventTypes, matcher
from stageflow_actors.model.amounts import is_count, is_number

logger = logging.getLogger("stageflow_actors.events")

AUDIT_EVENTS = ("auth.*", "tenant.*", "approval.*", "tool.denied", "guardrail.*")
"""Event types that a ``BufferedExporter`` never drops unless it is told others."""

OnOverflow = Callable[[int, int], object]
"""Called with the number of events dropped so far, or -1 at the mark, and of those buffered."""

_EXIT_FLUSH_S = 2.0


class BufferedExporter:
    """Gathers events and brings them to ``exporter`` in order, at most ``batch_size`` at a time.

    A batch is brought when it is full, or ``flush_interval_s`` after its first event. One that
    fails stays first and is brought again, ``retry_pause_s`` later, then after twice that, and so
    on up to ``max_retry_pause_s``.

    At most ``max_buffer_size`` events and ``max_buffer_bytes`` of their JSON are kept. Beyond, the
    oldest are dropped, but never those that the exporter has just now, and never those whose type
    is one of ``audit``. Where these leave no room, another event is dropped itself; an audit event
    waits in ``export``, and is refused by ``try_export``. ``on_overflow(dropped_count,
    buffer_size)`` is called after each drop, and with -1 when ``high_water_mark`` is reached, again
    only after the buffer was below half of that.

    The exporter lives on a thread and event loop of its own and has one batch at a time. Usable
    from any thread and event loop, until ``close``. At the exit of the process what is buffered
    gets up to two seconds. Make it after a fork, not before.

    Raises:
        TypeError: ``exporter`` has no ``export``.
        ValueError: a limit or a time is no such number.
        RuntimeFault: from ``export``: the exporter was closed (``SINK-CLOSED``).
    """

    def __init__(
        self,
        exporter: AnalyticsExporter,
        batch_size: int = 100,
        flush_interval_s: float = 10.0,
        max_buffer_size: int = 10_000,
        on_overflow: OnOverflow | None = None,
        high_water_mark: float = 0.8,
        *,
        max_buffer_bytes: int = 16 * 2**20,
        audit: EventTypes = AUDIT_EVENTS,
        retry_pause_s: float = 0.5,
        max_retry_pause_s: float = 30.0,
    ) -> None:
        if not isinstance(exporter, AnalyticsExporter):
            raise TypeError(f"{exporter!r:.80} is no exporter: it has no async def export(events)")
        if not is_count(batch_size) or not is_number(flush_interval_s) or flush_interval_s < 0:
            raise ValueError(
                "batch_size must be a whole number, at least 1, flush_interval_s at least 0, got "
                f"{batch_size!r:.80} and {flush_interval_s!r:.80}"
            )
        limits = BufferLimits(max_buffer_size, max_buffer_bytes, high_water_mark)
        pauses = Pauses(retry_pause_s, max_retry_pause_s)
        self._on_overflow = on_overflow
        self._is_audit = matcher(audit)
        self._overflow_errors = 0
        self._lock = threading.Lock()
        self._left: list[PackedEvent] = []
        # A buffer smaller than a batch is due when it is full.
        self._queue = DeliveryQueue(EventBuffer(limits), min(batch_size, max_buffer_size))
        self._delivery = Delivery(
            exporter,
            self._queue,
            gathering_s=flush_interval_s,
            pauses=pauses,
            after_attempt=self._tell_overflow,
        )
        atexit.register(self._close_at_exit)

    @property
    def statistics(self) -> AnalyticsStatistics:
        """What has become of every event so far."""
        return self._queue.statistics(self._overflow_errors)

    async def export(self, events: Sequence[AnalyticsEvent]) -> None:
        """Keep the events, one after the other; waits only where an audit event finds no room.

        Cancelled while it waits, it has kept those before.
        """
        for event in events:
            waiting = self._queue.offer_or_wait(self._pack(event))
            self._tell_overflow()
            if waiting is not None:
                await self._wait_for_a_place(waiting)

    def try_export(self, event: AnalyticsEvent) -> bool:
        """Keep an event now; ``False``: it was dropped, or refused (no room for it, or closed)."""
        offer = self._queue.offer(self._pack(event))
        self._tell_overflow()
        return offer is Offer.TAKEN

    async def flush(self, timeout_s: float = 5.0) -> bool:
        """Deliver at once what is buffered now; ``True`` once nothing of that is buffered any more.

        ``False``: the exporter failed, or was not done in time; the events stay buffered.
        """
        flush = self._queue.flush()
        done = asyncio.wrap_future(flush.done)
        try:
            await asyncio.wait([done], timeout=timeout_s)
            return done.done() and done.result()
        finally:
            self._queue.forget(flush)
            done.cancel()

    async def close(self, timeout_s: float = 5.0) -> tuple[AnalyticsEvent, ...]:
        """Take no more events, deliver what is buffered, close the exporter, end the thread.

        Gives back what could not be delivered in ``timeout_s``, oldest first, each time it is
        called. An ``export`` that is under way then is cancelled, and may have delivered its events
        all the same. It and ``close`` of the exporter get a second each before they are left
        behind.
        """
        self._begin_close(timeout_s)
        ended = asyncio.wrap_future(self._delivery.ended)
        await asyncio.wait([ended], timeout=timeout_s + 2 * GRACE_S)
        if ended.done():
            self._delivery.join()
        else:
            ended.cancel()  # its loop may be gone when the thread ends
            logger.warning("An exporter still runs after its buffer was closed.")
        return tuple(AnalyticsEvent.from_json(each.line) for each in self._leave())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def _pack(self, event: AnalyticsEvent) -> PackedEvent:
        try:
            is_audit = bool(self._is_audit(event.event_type))
        except Exception:
            is_audit = True  # what nobody can tell is not to be dropped
        return PackedEvent(event.to_json(), is_audit)

    async def _wait_for_a_place(self, waiting: WaitingEvent) -> None:
        try:
            await asyncio.wrap_future(waiting.placed)
        except asyncio.CancelledError:
            self._queue.withdraw(waiting)
            raise

    def _begin_close(self, timeout_s: float) -> None:
        atexit.unregister(self._close_at_exit)
        self._delivery.begin_close(timeout_s)

    def _close_at_exit(self) -> None:
        self._begin_close(_EXIT_FLUSH_S)
        wait([self._delivery.ended], timeout=_EXIT_FLUSH_S + GRACE_S)
        self._leave()

    def _leave(self) -> list[PackedEvent]:
        """All that was not delivered."""
        with self._lock:
            left = self._queue.give_up()
            self._left += left
        if left:
            logger.warning(
                "%d events were not exported, %d of them audit events.",
                len(left),
                sum(each.is_audit for each in left),
            )
        return self._left

    def _tell_overflow(self) -> None:
        for notice in self._queue.take_notices():
            if self._on_overflow is None:
                continue
            try:
                self._on_overflow(*notice)
            except (Exception, asyncio.CancelledError, SystemExit):
                with self._lock:
                    self._overflow_errors += 1
                    is_first = self._overflow_errors == 1
                if is_first:
                    logger.warning(
                        "on_overflow raised; events go on, it is counted.", exc_info=True
                    )
