"""The table ``events`` of an SQLite database: its columns, and an event as a row of it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

from stageflow_actors.adapters.event_json import data_to_json
from stageflow_actors.adapters.sqlite_file import Synchronous, open_file
from stageflow_actors.errors import RuntimeFault

Row: TypeAlias = tuple[str | int | None, ...]

_TABLE = """
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY, type TEXT NOT NULL, pipeline_run_id TEXT, seq INTEGER, stage TEXT,
    timestamp TEXT, data TEXT NOT NULL
)"""
_INDEX = "CREATE INDEX IF NOT EXISTS events_of_a_run ON events (pipeline_run_id)"
_INSERT = """
INSERT INTO events (type, pipeline_run_id, seq, stage, timestamp, data) VALUES (?, ?, ?, ?, ?, ?)
"""
_SELECT = """
SELECT type, pipeline_run_id, seq, stage, timestamp, data FROM events
WHERE pipeline_run_id IS ? ORDER BY id
"""

_CHECK = "SELECT type, pipeline_run_id, seq, stage, timestamp, data FROM events LIMIT 1"


class StoredEvent(NamedTuple):
    """An event as the database has it: some fields of its data as columns, and all its data."""

    type: str
    pipeline_run_id: str | None
    seq: int | None
    stage: str | None
    timestamp: str | None
    data: dict[str, Any]


def open_database(
    path: Path, synchronous: Synchronous, busy_timeout_s: float
) -> sqlite3.Connection:
    """A connection to the database, made with its table where there was none.

    Raises:
        RuntimeFault: there cannot be one (``SINK-OPEN``).
    """
    try:
        return open_file(path, (_TABLE, _INDEX), _CHECK, synchronous, busy_timeout_s, "IMMEDIATE")
    except sqlite3.Error as error:
        raise RuntimeFault(
            f"The event database {path} cannot be opened: {error}.",
            hint="Give a path in an existing folder that this process may write to.",
            code="SINK-OPEN",
        ) from error


def insert(database: sqlite3.Connection, rows: list[Row]) -> None:
    """Store ``rows`` in one transaction."""
    with database:
        database.executemany(_INSERT, rows)


def read_run(
    path: Path, pipeline_run_id: UUID | str | None, busy_timeout_s: float
) -> list[StoredEvent]:
    """The committed events of one run, or those of no run, in the order they were stored."""
    with closing(sqlite3.connect(path, timeout=busy_timeout_s)) as database:
        rows = database.execute(_SELECT, (_text(pipeline_run_id),)).fetchall()
    return [StoredEvent._make((*columns, json.loads(data))) for *columns, data in rows]


def to_row(type_: str, data: Mapping[str, Any] | None) -> Row:
    """An event as ``insert`` takes it; a field that does not fit its column is only in the data."""
    data = data or {}
    seq = data.get("seq")
    return (
        _text(type_),
        _text(data.get("pipeline_run_id")),
        seq if type(seq) is int and abs(seq) < 2**63 else None,
        _text(data.get("stage")),
        _text(data.get("timestamp")),
        data_to_json(data),
    )


def _text(value: object) -> str | None:
    """Text as SQLite can hold it; lone surrogates, which it cannot, as escapes."""
    if not isinstance(value, str | UUID):
        return None
    return str(value).encode("utf-8", "backslashreplace").decode("utf-8")
