"""``ConsoleExporter``: analytics events as lines for people."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from typing import TextIO

from stageflow_actors.adapters.analytics.event import AnalyticsEvent
from stageflow_actors.adapters.event_json import data_to_json, text_to_json


class ConsoleExporter:
    """Writes a line per event to ``stream``, by default to what ``sys.stderr`` is then.

    A line has the time, the type, and what there is of stage and duration; with ``verbose`` the
    data, too, as JSON. Names that are not printable ASCII are written as JSON text.
    """

    def __init__(self, stream: TextIO | None = None, *, verbose: bool = False) -> None:
        self._stream = stream
        self._verbose = verbose
        self._lock = threading.Lock()

    async def export(self, events: Sequence[AnalyticsEvent]) -> None:
        self._write(events)

    def try_export(self, event: AnalyticsEvent) -> bool:
        """Write one event; raises what the stream raises."""
        self._write([event])
        return True

    def _write(self, events: Sequence[AnalyticsEvent]) -> None:
        text = "".join(f"{self._line(event)}\n" for event in events)
        stream = self._stream or sys.stderr
        with self._lock:
            stream.write(text)
            stream.flush()

    def _line(self, event: AnalyticsEvent) -> str:
        parts = [event.timestamp.isoformat(timespec="milliseconds"), _printable(event.event_type)]
        if event.stage_name is not None:
            parts.append(f"stage={_printable(event.stage_name)}")
        if event.duration_ms is not None:
            parts.append(f"duration_ms={event.duration_ms:.1f}")
        if self._verbose:
            parts.append(data_to_json(event.data))
        return " ".join(parts)


def _printable(text: str) -> str:
    return text if text.isascii() and text.isprintable() else text_to_json(text)
