"""``JSONFileExporter``: analytics events in a file, one JSON object per line, rotated by size."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from stageflow_actors.adapters.analytics.event import AnalyticsEvent
from stageflow_actors.adapters.event_queue import stopped_error
from stageflow_actors.adapters.jsonl import JSONLEventSink


class JSONFileExporter:
    """Appends ``AnalyticsEvent.to_json`` and a newline per event to the file at ``path``.

    The events of one ``export`` are one write: it is with the operating system, or ``OSError`` is
    raised and the file is as it was. So events that a buffer brings again stand there once. The
    write that would make the file larger than ``max_bytes`` goes to a new one; of the former,
    ``path.1``, ``path.2`` and so on, the oldest goes once there are ``max_files``. Unless
    ``append``, a file that is there is emptied first. Usable from any thread; one process per file.

    Raises:
        RuntimeFault: the file cannot be opened (``SINK-OPEN``); or, from an event, the exporter was
            closed (``SINK-CLOSED``).
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        append: bool = True,
        max_bytes: int = 100 * 2**20,
        max_files: int = 5,
    ) -> None:
        self._file = _BatchFile(path, max_bytes=max_bytes, max_files=max_files)
        if not append:
            self._file.empty()

    async def export(self, events: Sequence[AnalyticsEvent]) -> None:
        self._file.append("".join(f"{event.to_json()}\n" for event in events))

    def try_export(self, event: AnalyticsEvent) -> bool:
        """Write one event; ``OSError`` where that fails."""
        self._file.append(f"{event.to_json()}\n")
        return True

    async def close(self) -> None:
        """Close the file; later events are refused."""
        self._file.close()


class _BatchFile(JSONLEventSink):
    """The file of that sink, written several lines at a time."""

    def append(self, lines: str) -> None:
        with self._lock:
            if self._is_closed:
                raise stopped_error()
            self._append(lines.encode("ascii"))

    def empty(self) -> None:
        with self._lock:
            if Path(self._path).is_file() and self._file is not None:
                self._file.truncate(0)
                self._size = 0
