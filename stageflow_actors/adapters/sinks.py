"""Event sinks that need nothing but this process: logging, memory, nothing."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple


class LoggingEventSink:
    """Writes each event to the logger ``stageflow_actors.events``; the default."""

    def __init__(self, level: int = logging.INFO) -> None:
        self._level = level
        self._logger = logging.getLogger("stageflow_actors.events")

    def accepts(self, type: str) -> bool:
        return self._logger.isEnabledFor(self._level)

    async def emit(self, *, type: str, data: Mapping[str, Any] | None) -> None:
        self.try_emit(type=type, data=data)

    def try_emit(self, *, type: str, data: Mapping[str, Any] | None) -> None:
        self._logger.log(self._level, "%s %s", type, data, extra={"event": type})


class NoOpEventSink:
    """Discards every event."""

    def accepts(self, type: str) -> bool:
        return False

    async def emit(self, *, type: str, data: Mapping[str, Any] | None) -> None:
        pass

    def try_emit(self, *, type: str, data: Mapping[str, Any] | None) -> None:
        pass


class RecordedEvent(NamedTuple):
    """An event as ``InMemoryEventSink`` keeps it."""

    type: str
    data: Mapping[str, Any]


class InMemoryEventSink:
    """Keeps the newest ``max_events`` events, for tests and notebooks."""

    def __init__(self, max_events: int = 100_000) -> None:
        self._events: deque[RecordedEvent] = deque(maxlen=max_events)
        self._lock = threading.Lock()

    @property
    def events(self) -> list[RecordedEvent]:
        """What was kept, oldest first."""
        with self._lock:
            return list(self._events)

    def of_type(self, type: str) -> list[RecordedEvent]:
        """The kept events of one type."""
        return [event for event in self.events if event.type == type]

    async def emit(self, *, type: str, data: Mapping[str, Any] | None) -> None:
        self.try_emit(type=type, data=data)

    def try_emit(self, *, type: str, data: Mapping[str, Any] | None) -> None:
        with self._lock:
            self._events.append(RecordedEvent(type, dict(data or {})))
