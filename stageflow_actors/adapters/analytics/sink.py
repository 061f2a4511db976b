"""``AnalyticsSink``: the events of runs, on their way to an exporter."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from stageflow_actors.adapters.analytics.event import AnalyticsEvent
from stageflow_actors.adapters.analytics.exporter import AnalyticsExporter, ImmediateExporter
from stageflow_actors.adapters.routing import EventTypes, type_filter


class AnalyticsSink:
    """Exports the events whose type ``include`` names and ``exclude`` does not, as they come.

    ``emit`` returns when ``exporter`` has the event, and raises what it raises. ``try_emit`` needs
    an exporter that can take an event without waiting, such as a ``BufferedExporter``, a file or
    the console; with another one it refuses. Close the exporter after the runtime that feeds it.
    """

    def __init__(
        self,
        exporter: AnalyticsExporter,
        *,
        include: EventTypes | None = None,
        exclude: EventTypes | None = None,
    ) -> None:
        self._exporter = exporter
        self._is_chosen = type_filter(include, exclude)
        self._lock = threading.Lock()
        self._refused = 0

    @property
    def refused(self) -> int:
        """How many events ``try_emit`` has answered with ``False``."""
        return self._refused

    def accepts(self, type: str) -> bool:
        return self._is_chosen(type)

    async def emit(self, *, type: str, data: Mapping[str, Any] | None) -> None:
        if self.accepts(type):
            await self._exporter.export([AnalyticsEvent.of_runtime(type, data)])

    def try_emit(self, *, type: str, data: Mapping[str, Any] | None) -> bool:
        """Hand the event on now; ``False`` where it was refused or dropped.

        An event that is not included is not wanted, and lost to nobody: ``True``.
        """
        if not self.accepts(type) or self._is_taken(AnalyticsEvent.of_runtime(type, data)):
            return True
        with self._lock:
            self._refused += 1
        return False

    def _is_taken(self, event: AnalyticsEvent) -> bool:
        exporter = self._exporter
        return isinstance(exporter, ImmediateExporter) and exporter.try_export(event)
