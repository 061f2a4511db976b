"""The idempotency store of a runtime: opened when it is needed, closed by whoever opened it."""

from __future__ import annotations

import os

from stageflow_actors.ports import IdempotencyStore

StoreSource = str | os.PathLike[str] | IdempotencyStore | None
"""The path of an SQLite database, a store, or ``None``: one in memory."""


def open_store(source: str | os.PathLike[str] | None) -> IdempotencyStore:
    """A store in the file at ``source``, or in memory."""
    if source is None:
        from stageflow_actors.adapters.idempotency.memory import InMemoryIdempotencyStore

        return InMemoryIdempotencyStore()
    from stageflow_actors.adapters.idempotency.sqlite import SQLiteIdempotencyStore

    return SQLiteIdempotencyStore(source)


class StoreHolder:
    """One store for all that need it. One that was given is left open."""

    def __init__(self, source: StoreSource) -> None:
        self.source = source
        self._opened: IdempotencyStore | None = None

    def get(self) -> IdempotencyStore:
        """The store, open."""
        if not isinstance(self.source, (str, os.PathLike)) and self.source is not None:
            return self.source
        if self._opened is None:
            self._opened = open_store(self.source)
        return self._opened

    async def close(self) -> None:
        """Close what was opened here."""
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.close()
