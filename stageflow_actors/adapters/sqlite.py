"""``SQLiteEventSink``: events in a database file; what it acknowledged is stored."""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, get_args
from uuid import UUID

from stageflow_actors.adapters import event_table
from stageflow_actors.adapters.event_table import Row, StoredEvent
from stageflow_actors.adapters.sqlite_file import Synchronous
from stageflow_actors.errors import RuntimeFault

logger = logging.getLogger("stageflow_actors.events")


@dataclass(frozen=True, slots=True)
class SQLiteStatistics:
    """Counts since the sink was made; ``dropped`` came by ``try_emit`` while the queue was full."""

    written: int
    failed: int
    dropped: int
    commits: int


class _Request(NamedTuple):
    rows: Sequence[Row]
    stored: Future[None]


class SQLiteEventSink:
    """Stores events in the table ``events`` of the SQLite database at ``path``.

    When ``emit`` or ``emit_many`` returns, the events are committed: they survive the death of the
    process and, with ``synchronous`` at ``"FULL"`` or above, that of the machine. What gathers
    while a commit waits for the disk goes into the next one, together. ``try_emit`` only queues;
    while ``max_queued_events`` wait, further ones are dropped and counted.

    Usable from any thread; several sinks, in several processes, may share a database. Make it after
    a fork, not before: it has a thread.

    Raises:
        RuntimeFault: the database cannot be opened (``SINK-OPEN``); or, from an event, the sink was
            closed (``SINK-CLOSED``).
        sqlite3.Error: from ``emit`` and ``emit_many``: the events could not be stored.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        synchronous: Synchronous = "FULL",
        busy_timeout_s: float = 5.0,
        max_queued_events: int = 10_000,
    ) -> None:
        if synchronous not in get_args(Synchronous):
            raise ValueError(f"synchronous must be one of {', '.join(get_args(Synchronous))}")
        self._path = Path(path).absolute()
        self._busy_timeout_s = busy_timeout_s
        self._max_queued_events = max_queued_events
        self._requests: list[_Request] = []
        self._changed = threading.Condition()
        self._is_closed = False
        self._has_warned = False
        self._written = self._failed = self._dropped = self._commits = 0
        self._database = event_table.open_database(self._path, synchronous, busy_timeout_s)
        # Not on first use: a first event at the exit of the process could start no thread any more.
        self._writer = threading.Thread(
            target=self._write_until_closed, name="stageflow-sqlite", daemon=True
        )
        self._writer.start()
        atexit.register(self.close)

    @property
    def statistics(self) -> SQLiteStatistics:
        """What has become of every event so far."""
        with self._changed:
            return SQLiteStatistics(self._written, self._failed, self._dropped, self._commits)

    async def emit(self, *, type: str, data: Mapping[str, Any] | None) -> None:
        await self.emit_many([(type, data)])

    async def emit_many(self, events: Iterable[tuple[str, Mapping[str, Any] | None]]) -> None:
        """Store several events in one commit, in their order; all of them, or raise and none."""
        request = _request(events)
        with self._changed:
            self._queue(request)
        await asyncio.wrap_future(request.stored)

    def try_emit(self, *, type: str, data: Mapping[str, Any] | None) -> None:
        request = _request([(type, data)])
        with self._changed:
            if len(self._requests) >= self._max_queued_events and not self._is_closed:
                self._dropped += 1
            else:
                self._queue(request)

    def read(self, pipeline_run_id: UUID | str | None) -> list[StoredEvent]:
        """The committed events of one run, or those of no run, in the order they were stored."""
        return event_table.read_run(self._path, pipeline_run_id, self._busy_timeout_s)

    def close(self) -> None:
        """Commit what is queued and close the database; later events are refused."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._writer.join()
        self._database.close()
        atexit.unregister(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _queue(self, request: _Request) -> None:
        if self._is_closed:
            raise RuntimeFault(
                f"The event database {self._path} was closed.",
                hint="Close the sink after the runtime that feeds it.",
                code="SINK-CLOSED",
            )
        self._requests.append(request)
        self._changed.notify_all()

    def _write_until_closed(self) -> None:
        while requests := self._next_requests():
            self._store(requests)

    def _next_requests(self) -> list[_Request]:
        with self._changed:
            while not self._requests and not self._is_closed:
                self._changed.wait()
            requests, self._requests = self._requests, []
            return requests

    def _store(self, requests: Sequence[_Request]) -> None:
        rows = [row for request in requests for row in request.rows]
        try:
            event_table.insert(self._database, rows)
        except Exception as error:
            if len(requests) == 1 or isinstance(error, sqlite3.OperationalError):
                self._fail(requests, len(rows), error)
            else:  # what can never be stored must not fail its neighbours
                for request in requests:
                    self._store([request])
            return
        with self._changed:
            self._written += len(rows)
            self._commits += 1
        for request in requests:
            request.stored.set_result(None)

    def _fail(self, requests: Sequence[_Request], events: int, error: Exception) -> None:
        with self._changed:
            self._failed += events
        if not self._has_warned:
            self._has_warned = True
            logger.warning(
                "Events could not be stored in %s; failures are counted.",
                self._path,
                exc_info=error,
            )
        for request in requests:
            request.stored.set_exception(error)


def _request(events: Iterable[tuple[str, Mapping[str, Any] | None]]) -> _Request:
    stored: Future[None] = Future()
    stored.set_running_or_notify_cancel()  # a caller that gives up takes nothing back
    return _Request([event_table.to_row(type_, data) for type_, data in events], stored)
