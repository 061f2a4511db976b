"""Who observes runs in this process: the process-wide default sink, and a runtime's own.

The default is a convenience at the outermost edge: a runtime that is given a sink never asks here.
"""

from __future__ import annotations

import asyncio
import threading

from stageflow_actors.actors.event_pump import EventPump, PumpStatistics
from stageflow_actors.adapters.sinks import LoggingEventSink
from stageflow_actors.model.settings import Settings
from stageflow_actors.ports import EventSink

_HANDOVER_S = 2.0


class DefaultSink:
    """The sink of runtimes that were given none."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pump: EventPump | None = None

    def set(self, sink: EventSink) -> None:
        """Send events of later batches to ``sink``; the former one gets what it was owed."""
        with self._lock:
            former, self._pump = self._pump, EventPump(sink, Settings().max_queued_events)
        if former is not None:
            former.close(_HANDOVER_S)

    def pump(self) -> EventPump:
        """The pump of the current default sink."""
        with self._lock:
            if self._pump is None:
                self._pump = EventPump(LoggingEventSink(), Settings().max_queued_events)
            return self._pump


DEFAULT_SINK = DefaultSink()


def set_event_sink(sink: EventSink) -> None:
    """Make ``sink`` the default of this process."""
    DEFAULT_SINK.set(sink)


def get_event_sink() -> EventSink:
    """The default sink of this process; a ``LoggingEventSink`` where none was set."""
    return DEFAULT_SINK.pump().sink


def clear_event_sink() -> None:
    """Return to logging."""
    DEFAULT_SINK.set(LoggingEventSink())


async def flush_events(timeout_s: float = 5.0) -> bool:
    """Wait until the default sink has had every event so far; ``False`` if that took too long."""
    return await asyncio.to_thread(DEFAULT_SINK.pump().flush, timeout_s)


def event_statistics() -> PumpStatistics:
    """What has become of the events for the default sink."""
    return DEFAULT_SINK.pump().statistics
