"""``EventPump``: carries events to a sink on a thread of its own, so that no run waits for it."""

from __future__ import annotations

import asyncio
import atexit
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stageflow_actors.model.events import Event, Labels, event_data
from stageflow_actors.ports import EventSink, SelectiveEventSink

logger = logging.getLogger("stageflow_actors.events")


@dataclass(frozen=True, slots=True)
class PumpStatistics:
    """Exact counts: ``submitted == delivered + failed + dropped + waiting``."""

    submitted: int
    delivered: int
    failed: int
    dropped: int
    waiting: int


Batch = tuple[Labels, Sequence[Event]]
"""Events of one run, and what all of them say of it."""

_EXIT_FLUSH_S = 2.0


class EventPump:
    """Delivers batches to one sink, one event after the other, in the order submitted.

    Holds at most ``max_queued`` events; newer ones are dropped and counted. A sink that raises is
    counted, warned about once, and asked again with the next event. The thread starts with the
    first event and does not keep the process alive; at exit the sink gets a moment to catch up.
    For ``linger_s`` it lets events gather, so that it takes turns with the runs less often.
    """

    def __init__(self, sink: EventSink, max_queued: int, linger_s: float = 0.0) -> None:
        self.sink = sink
        self._linger_s = linger_s
        self._is_hurried = threading.Event()
        self._accepts = sink.accepts if isinstance(sink, SelectiveEventSink) else None
        self._max_queued = max_queued
        self._batches: deque[Batch] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._has_warned = False
        self._submitted = self._delivered = self._failed = self._dropped = 0

    @property
    def statistics(self) -> PumpStatistics:
        """What has become of every event so far."""
        with self._changed:
            return PumpStatistics(
                self._submitted, self._delivered, self._failed, self._dropped, self._waiting()
            )

    def submit(self, labels: Callable[[], Labels], events: Sequence[Event]) -> int:
        """Queue the events of one run that the sink accepts; how many had to be dropped.

        ``labels`` are made only if it accepts any.

        Never waits for the sink.
        """
        events, refused = self._accepted(events)
        if not events and not refused:
            return 0
        with self._changed:
            self._submitted += refused
            self._failed += refused
            room = 0 if self._is_closed else max(0, self._max_queued - self._waiting())
            self._submitted += len(events)
            dropped = max(0, len(events) - room)
            self._dropped += dropped
            if not room:
                return dropped
            self._batches.append((labels(), events[:room]))
            if self._thread is None:
                atexit.register(self.flush, _EXIT_FLUSH_S)
            if self._thread is None or not self._thread.is_alive():  # a fork leaves it behind
                self._thread = threading.Thread(
                    target=self._run, name="stageflow-events", daemon=True
                )
                self._thread.start()
            self._changed.notify_all()
            return dropped

    def _accepted(self, events: Sequence[Event]) -> tuple[Sequence[Event], int]:
        """What the sink accepts, and how often asking it raised."""
        if self._accepts is None:
            return events, 0
        accepted, refused = [], 0
        for event in events:
            try:
                if self._accepts(event.type):
                    accepted.append(event)
            except Exception as error:
                refused += 1
                self._warn_once(error)
        return accepted, refused

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything submitted so far is done with; ``False`` if that took too long."""
        deadline = time.monotonic() + timeout_s
        self._is_hurried.set()
        with self._changed:
            goal = self._submitted - self._dropped
            while self._delivered + self._failed < goal:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(left)
            return True

    def close(self, timeout_s: float) -> None:
        """Deliver what is queued, within ``timeout_s``; drop and count what comes later."""
        with self._changed:
            self._is_closed = True
        self.flush(timeout_s)
        atexit.unregister(self.flush)
        with self._changed:
            self._changed.notify_all()

    def _waiting(self) -> int:
        return self._submitted - self._delivered - self._failed - self._dropped

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            while batches := self._next():
                runner.run(self._deliver_all(batches))
                batches = ()  # or they would be kept until there are others

    def _next(self) -> Sequence[Batch]:
        """All that is here, once there is anything: to begin costs as much as many events do.

        Nothing, once it is closed.
        """
        with self._changed:
            while not self._batches and not self._is_closed:
                self._changed.wait()
        if self._linger_s:
            self._is_hurried.wait(self._linger_s)
            self._is_hurried.clear()
        with self._changed:
            batches = tuple(self._batches)
            self._batches.clear()
            return batches

    async def _deliver_all(self, batches: Sequence[Batch]) -> None:
        for batch in batches:
            await self._deliver(*batch)

    async def _deliver(self, labels: Labels, events: Sequence[Event]) -> None:
        delivered = failed = 0
        for event in events:
            try:
                await self.sink.emit(type=event.type, data=event_data(event, labels))
                delivered += 1
            except BaseException as error:  # a CancelledError of the sink's own, too
                failed += 1
                self._warn_once(error)
            if (delivered + failed) % 64 == 0:
                self._count(delivered, failed)
                delivered = failed = 0
        self._count(delivered, failed)

    def _count(self, delivered: int, failed: int) -> None:
        with self._changed:
            self._delivered += delivered
            self._failed += failed
            self._changed.notify_all()

    def _warn_once(self, error: BaseException) -> None:
        if not self._has_warned:
            self._has_warned = True
            logger.warning(
                "Event sink %s raised %s; runs go on, its failures are counted.",
                type(self.sink).__name__,
                type(error).__name__,
                exc_info=error,
            )
