"""Opening an SQLite database that several processes may make ready at one time."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Literal

Synchronous = Literal["OFF", "NORMAL", "FULL", "EXTRA"]
"""SQLite's own names for how much a commit waits for the disk."""

_RETRY_S = 0.01


def open_file(
    path: Path,
    tables: tuple[str, ...],
    check: str,
    synchronous: Synchronous,
    busy_timeout_s: float,
    isolation_level: Literal["IMMEDIATE"] | None,
) -> sqlite3.Connection:
    """A connection in WAL mode, for use from any thread; waits while others make it ready.

    ``tables`` are the statements that make what has to be there, ``check`` is a query that fails
    where another has a table of that name.

    Raises:
        sqlite3.Error: there cannot be one, or it was locked for ``busy_timeout_s``.
    """
    deadline = time.monotonic() + busy_timeout_s
    while True:
        try:
            return _connect(path, tables, check, synchronous, busy_timeout_s, isolation_level)
        except sqlite3.Error as error:
            # SQLite itself does not wait where several make a new database ready at one time.
            if not _is_busy(error) or time.monotonic() >= deadline:
                raise
            time.sleep(_RETRY_S)


def _is_busy(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def _connect(
    path: Path,
    tables: tuple[str, ...],
    check: str,
    synchronous: Synchronous,
    busy_timeout_s: float,
    isolation_level: Literal["IMMEDIATE"] | None,
) -> sqlite3.Connection:
    database = sqlite3.connect(
        path, timeout=busy_timeout_s, isolation_level=isolation_level, check_same_thread=False
    )
    try:
        for statement in ("PRAGMA journal_mode=WAL", *tables):
            database.execute(statement)
        database.execute(f"PRAGMA synchronous={synchronous}")
        database.execute(check).fetchone()  # refuses another table of that name
    except BaseException:
        database.close()
        raise
    return database
