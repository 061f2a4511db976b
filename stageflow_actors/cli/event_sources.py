"""Where events were recorded: JSON lines, a database, or standard input."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from stageflow_actors.cli.event_lines import LineParts
from stageflow_actors.cli.event_records import EventRecord, record_of_line, record_of_row
from stageflow_actors.cli.failure import CommandError

STDIN = "-"
_MAGIC = b"SQLite format 3\0"
_BUSY_TIMEOUT_S = 5.0
_SELECT = "SELECT id, type, data FROM events WHERE id > ? ORDER BY id"


class EventSource(Protocol):
    """Recorded events. ``skipped`` counts what was none, ``is_cut``: the last one is not whole.

    While it ``is_open``, more may come.
    """

    skipped: int
    is_cut: bool
    is_open: bool

    def new(self) -> Iterator[EventRecord]:
        """What has come since the last call: at first, everything."""

    def last(self) -> Iterator[EventRecord]:
        """The event of a last line that has no end; for those who do not wait for it."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


def open_source(place: str) -> EventSource:
    """The source at ``place``: a path, or ``-``.

    Raises:
        CommandError: it cannot be read (``CLI-EVENTS``).
    """
    if place == STDIN:
        return _Stream(sys.stdin.buffer)
    path = Path(place)
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            return _Stream(path.open("rb"))  # a pipe, which can be read but once
        with path.open("rb") as file:
            is_database = file.read(len(_MAGIC)) == _MAGIC
        return _Database(path) if is_database else _Lines(path)
    except (OSError, ValueError, sqlite3.Error) as error:
        raise unreadable(place, error) from None


def unreadable(place: str, error: Exception) -> CommandError:
    """What to say of a source that cannot be read."""
    reason = error.strerror if isinstance(error, OSError) else None
    return CommandError(
        f"The events in {place!r} cannot be read: {reason or error}.",
        hint="Give a file of a JSONLEventSink, a database of an SQLiteEventSink, or - for "
        "standard input.",
        code="CLI-EVENTS",
    )


class _Counting:
    """What all sources share."""

    def __init__(self) -> None:
        self.skipped = 0
        self.is_cut = False
        self.is_open = True

    def __enter__(self) -> Self:
        return self

    def last(self) -> Iterator[EventRecord]:
        return iter(())

    def _kept(self, record: EventRecord | None) -> Iterator[EventRecord]:
        if record is None:
            self.skipped += 1
        else:
            yield record


class _Lines(_Counting):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._parts = LineParts(path)

    def new(self) -> Iterator[EventRecord]:
        for line in self._parts.lines():
            yield from self._kept(record_of_line(line))

    def last(self) -> Iterator[EventRecord]:
        if self._parts.has_rest:
            record = record_of_line(self._parts.rest)
            self.is_cut = record is None
            yield from () if record is None else (record,)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._parts.close()


class _Database(_Counting):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._last = -1
        self._database = _connected(path)

    def new(self) -> Iterator[EventRecord]:
        try:
            for number, type_, data in self._database.execute(_SELECT, (self._last,)):
                self._last = number
                yield from self._kept(record_of_row(type_, data))
        except sqlite3.Error as error:
            raise unreadable(str(self._path), error) from None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._database.close()


class _Stream(_Counting):
    """Lines as they come; once they have ended, there is nothing new."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream

    def new(self) -> Iterator[EventRecord]:
        for line in self._stream:
            if line.strip():
                yield from self._kept(record_of_line(line))
        self.is_open = False

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._stream is not sys.stdin.buffer:
            self._stream.close()


def _connected(path: Path) -> sqlite3.Connection:
    """For reading only; in a folder that nobody may write to, as the file is."""
    place = path.absolute().as_uri()
    with suppress(sqlite3.OperationalError):
        return _checked(f"{place}?mode=ro")
    return _checked(f"{place}?mode=ro&immutable=1")


def _checked(uri: str) -> sqlite3.Connection:
    database = sqlite3.connect(uri, uri=True, timeout=_BUSY_TIMEOUT_S)
    try:
        database.execute(_SELECT, (0,)).fetchone()
    except BaseException:
        database.close()
        raise
    return database
