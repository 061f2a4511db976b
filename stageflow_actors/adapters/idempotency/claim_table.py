"""The table ``claims`` of an SQLite database: who works on which key, and the answers there are."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from stageflow_actors.adapters.sqlite_file import Synchronous, open_file
from stageflow_actors.errors import RuntimeFault
from stageflow_actors.model.claims import Claim, ClaimState

_ABANDONED_S = 3_600.0
"""An owner may come late as long as nobody has taken its key; after this it is forgotten."""
_MAX_SWEPT = 100
"""Outdated rows that one claim removes."""

# Text is kept as bytes: SQLite has no text with lone surrogates in it.
_TABLE = """
CREATE TABLE IF NOT EXISTS claims (
    key BLOB PRIMARY KEY, params BLOB NOT NULL, owner BLOB NOT NULL, answer BLOB,
    ends_at REAL NOT NULL, remove_at REAL NOT NULL
)"""
_INDEX = "CREATE INDEX IF NOT EXISTS claims_to_remove ON claims (remove_at)"
_SWEEP = """
DELETE FROM claims WHERE rowid IN
(SELECT rowid FROM claims WHERE remove_at <= ? ORDER BY remove_at LIMIT ?)
"""
_SELECT = "SELECT params, answer, ends_at FROM claims WHERE key = ?"
_TAKE = """
INSERT OR REPLACE INTO claims (key, params, owner, answer, ends_at, remove_at)
VALUES (?, ?, ?, NULL, ?, ?)
"""
_OWNED = "WHERE key = ? AND owner = ? AND answer IS NULL"
_RENEW = f"UPDATE claims SET ends_at = ?, remove_at = ? {_OWNED}"  # noqa: S608
_COMPLETE = f"UPDATE claims SET answer = ?, ends_at = ?, remove_at = ? {_OWNED}"  # noqa: S608
_RELEASE = f"DELETE FROM claims {_OWNED}"  # noqa: S608
_CHECK = "SELECT key, params, owner, answer, ends_at, remove_at FROM claims LIMIT 1"


class ClaimTable:
    """One connection, for one thread at a time. Each method is one transaction.

    ``ends_at`` is the end of a lease or of an answer, by the wall clock, which processes share. The
    clock is read when the database is locked, not before: getting there may take a while.
    """

    def __init__(
        self,
        path: Path,
        synchronous: Synchronous,
        busy_timeout_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._database = _open(path, synchronous, busy_timeout_s)
        self._clock = clock

    def claim(self, key: str, params: str, owner: str, lease_s: float) -> Claim:
        """See ``IdempotencyStore.claim``."""
        with self._transaction() as now:
            self._database.execute(_SWEEP, (now, _MAX_SWEPT))
            row = self._database.execute(_SELECT, (_bytes(key),)).fetchone()
            if row is not None and row[2] > now:
                first_params, answer, _ends_at = row
                if answer is None:
                    return Claim(ClaimState.PENDING, None, _text(first_params))
                return Claim(ClaimState.ANSWERED, _text(answer), _text(first_params))
            ends_at = now + lease_s
            columns = (_bytes(key), _bytes(params), _bytes(owner), ends_at, ends_at + _ABANDONED_S)
            self._database.execute(_TAKE, columns)
            return Claim(ClaimState.OWNED, None, params)

    def renew(self, key: str, owner: str, lease_s: float) -> bool:
        """See ``IdempotencyStore.renew``."""
        with self._transaction() as now:
            ends_at = now + lease_s
            columns = (ends_at, ends_at + _ABANDONED_S, _bytes(key), _bytes(owner))
            return self._database.execute(_RENEW, columns).rowcount == 1

    def complete(self, key: str, owner: str, answer: str, ttl_s: float) -> bool:
        """See ``IdempotencyStore.complete``."""
        with self._transaction() as now:
            ends_at = now + ttl_s
            columns = (_bytes(answer), ends_at, ends_at, _bytes(key), _bytes(owner))
            return self._database.execute(_COMPLETE, columns).rowcount == 1

    def release(self, key: str, owner: str) -> None:
        """See ``IdempotencyStore.release``."""
        with self._transaction():
            self._database.execute(_RELEASE, (_bytes(key), _bytes(owner)))

    def is_pending(self, key: str) -> bool:
        """Whether an owner works on the key; locks nobody out."""
        row = self._database.execute(_SELECT, (_bytes(key),)).fetchone()
        return row is not None and row[1] is None and row[2] > self._clock()

    def close(self) -> None:
        """Close the connection."""
        self._database.close()

    @contextmanager
    def _transaction(self) -> Iterator[float]:
        """The time, with the database locked for other writers."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield self._clock()
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise


def _open(path: Path, synchronous: Synchronous, busy_timeout_s: float) -> sqlite3.Connection:
    try:
        return open_file(
            path, (_TABLE, _INDEX), _CHECK, synchronous, busy_timeout_s, isolation_level=None
        )
    except sqlite3.Error as error:
        raise RuntimeFault(
            f"The idempotency database {path} cannot be opened: {error}.",
            hint="Give a path in an existing folder that this process may write to.",
            code="IDEMPOTENCY-STORE",
        ) from error


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(stored: bytes) -> str:
    return stored.decode("utf-8", "surrogatepass")
