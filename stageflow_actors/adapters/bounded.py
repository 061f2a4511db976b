"""``BackpressureAwareEventSink``: a bounded queue in front of a slow sink."""

from __future__ import annotations

import asyncio
import atexit
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from typing import Any

from stageflow_actors.adapters.event_queue import (
    BackpressureMetrics,
    EventQueue,
    QueuedEvent,
    stopped_error,
)
from stageflow_actors.ports import EventSink, SelectiveEventSink

logger = logging.getLogger("stageflow_actors.events")

_EXIT_DRAIN_S = 2.0

OnDrop = Callable[[str, Mapping[str, Any] | None], object]
"""Called with the type and data of an event that the downstream sink will not get."""


class BackpressureAwareEventSink:
    """Hands events to ``downstream`` one by one, in order, on a thread and event loop of its own.

    At most ``max_queue_size`` events are undecided: the one that ``downstream`` has, and those
    behind it. Then ``try_emit`` drops the event and returns ``False``, and ``emit`` waits for room.
    A ``downstream`` that raises is counted, warned about once, and gets the next event. For each
    event dropped, ``on_drop(type, data)`` is called by whoever dropped it.

    Usable from any thread and event loop, until ``stop``. At the exit of the process what is queued
    gets up to two seconds. Make it after a fork, not before: it has a thread.

    Raises:
        RuntimeFault: from ``emit``: the sink was stopped (``SINK-CLOSED``).
    """

    def __init__(
        self, downstream: EventSink, max_queue_size: int = 1000, on_drop: OnDrop | None = None
    ) -> None:
        if max_queue_size < 1:
            raise ValueError("max_queue_size must be at least 1")
        self._downstream = downstream
        self._accepts = downstream.accepts if isinstance(downstream, SelectiveEventSink) else None
        self._on_drop = on_drop
        self._queue = EventQueue(max_queue_size)
        self._has_warned = False
        self._ended: Future[None] = Future()
        self._ended.set_running_or_notify_cancel()  # one of several waiters cannot cancel it
        # Not on first use: a first event at the exit of the process could start no thread any more.
        threading.Thread(target=self._run, name="stageflow-bounded-sink", daemon=True).start()
        atexit.register(self._stop_at_exit)

    @property
    def metrics(self) -> BackpressureMetrics:
        """What has become of every event so far."""
        return self._queue.metrics

    def accepts(self, type: str) -> bool:
        return self._accepts is None or self._accepts(type)

    def try_emit(self, *, type: str, data: Mapping[str, Any] | None) -> bool:
        """Queue the event; ``False`` if it was dropped, for want of room or as the sink stopped."""
        event = _event(type, data)
        is_queued = self._queue.put(event, may_wait=False)
        if not is_queued:
            self._tell_dropped([event])
        return is_queued

    async def emit(self, *, type: str, data: Mapping[str, Any] | None) -> None:
        event = _event(type, data)
        if not self._queue.put(event, may_wait=True):
            self._tell_dropped([event])
            raise stopped_error()
        if event.accepted.done():
            return event.accepted.result()
        try:
            await asyncio.wrap_future(event.accepted)
        except asyncio.CancelledError:
            if self._queue.withdraw(event):
                self._tell_dropped([event])
            raise

    async def stop(self, *, drain: bool = True, timeout_s: float = 5.0) -> bool:
        """Refuse further events, deliver what is queued, end the thread.

        What is still queued after ``timeout_s``, or all of it unless ``drain``, is dropped. The
        event that ``downstream`` has is never interrupted: it stays ``waiting`` until it is done
        with. ``False`` if that takes longer than ``timeout_s``.
        """
        self._begin_stop()
        if not drain:
            self._drop_queued()
        ended = asyncio.wrap_future(self._ended)
        await asyncio.wait([ended], timeout=timeout_s)
        self._drop_queued()
        if ended.done():
            return True
        ended.cancel()  # its loop may be gone when the thread ends
        return False

    def _stop_at_exit(self) -> None:
        self._begin_stop()
        wait([self._ended], timeout=_EXIT_DRAIN_S)
        self._drop_queued()

    def _begin_stop(self) -> None:
        atexit.unregister(self._stop_at_exit)
        self._queue.close()

    def _drop_queued(self) -> None:
        self._tell_dropped(self._queue.drop_all())

    def _tell_dropped(self, events: Sequence[QueuedEvent]) -> None:
        if self._on_drop is None:
            return
        for event in events:
            try:
                self._on_drop(event.type, event.data)
            except Exception:
                logger.warning("on_drop raised; events go on.", exc_info=True)

    def _run(self) -> None:
        try:
            asyncio.run(self._deliver_all())
        finally:
            self._ended.set_result(None)

    async def _deliver_all(self) -> None:
        while (event := await self._queue.take()) is not None:
            is_delivered = False
            try:
                await self._downstream.emit(type=event.type, data=event.data)
                is_delivered = True
            except BaseException as error:  # a CancelledError of the sink's own, too
                self._warn_once(error)
            self._queue.settle(is_delivered=is_delivered)

    def _warn_once(self, error: BaseException) -> None:
        if not self._has_warned:
            self._has_warned = True
            logger.warning(
                "Sink %s raised %s behind a bounded queue; its failures are counted.",
                type(self._downstream).__name__,
                type(error).__name__,
                exc_info=error,
            )


def _event(type_: str, data: Mapping[str, Any] | None) -> QueuedEvent:
    return QueuedEvent(type_, None if data is None else dict(data))
