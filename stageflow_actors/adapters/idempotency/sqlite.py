"""``SQLiteIdempotencyStore``: keys and answers in a file that several processes share."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar, get_args

from stageflow_actors.adapters.idempotency.claim_table import ClaimTable
from stageflow_actors.adapters.idempotency.watching import KeyWatch
from stageflow_actors.adapters.sqlite_file import Synchronous
from stageflow_actors.model.claims import Claim

Answer = TypeVar("Answer")


class SQLiteIdempotencyStore:
    """An ``IdempotencyStore`` in the table ``claims`` of the SQLite database at ``path``.

    Several stores, in several processes of one machine, may share a database. A key or an answer
    that was acknowledged survives the death of the process and, with ``synchronous`` at ``"FULL"``
    or above, that of the machine. ``changed`` sees what this store does at once, what others do
    within ``poll_interval_s``. ``clock`` gives seconds since the Unix epoch: the same in all
    processes. Outdated rows leave with later claims, at most a hundred with each.

    Usable from any event loop and thread. Make it after a fork, not before: it has a thread.

    Raises:
        ValueError: ``synchronous`` is none of SQLite's.
        RuntimeFault: the database cannot be opened, or was closed (``IDEMPOTENCY-STORE``).
        sqlite3.Error: from a call: it could not be done, also because another writer has held the
            database for ``busy_timeout_s``.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        synchronous: Synchronous = "FULL",
        busy_timeout_s: float = 5.0,
        poll_interval_s: float = 0.05,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if synchronous not in get_args(Synchronous):
            raise ValueError(f"synchronous must be one of {', '.join(get_args(Synchronous))}")
        self._table = ClaimTable(Path(path).absolute(), synchronous, busy_timeout_s, clock)
        self._poll_interval_s = poll_interval_s
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="stageflow-idempotency")
        self._watch = KeyWatch()

    async def claim(self, key: str, params: str, owner: str, lease_s: float) -> Claim:
        return await self._call(partial(self._table.claim, key, params, owner, lease_s))

    async def renew(self, key: str, owner: str, lease_s: float) -> bool:
        return await self._call(partial(self._table.renew, key, owner, lease_s))

    async def complete(self, key: str, owner: str, answer: str, ttl_s: float) -> bool:
        is_stored = await self._call(partial(self._table.complete, key, owner, answer, ttl_s))
        self._watch.wake(key)
        return is_stored

    async def release(self, key: str, owner: str) -> None:
        await self._call(partial(self._table.release, key, owner))
        self._watch.wake(key)

    async def changed(self, key: str) -> None:
        while True:
            # Watched before it is looked at: nothing can happen in between.
            with self._watch.waiting(key) as woken:
                if not await self._call(partial(self._table.is_pending, key)):
                    return
                await asyncio.wait([woken], timeout=self._poll_interval_s)

    async def close(self) -> None:
        """Finish the calls that were begun, and close the database."""
        if not self._watch.close():
            return
        try:
            await asyncio.wrap_future(self._worker.submit(self._table.close))
        finally:
            self._worker.shutdown(wait=False)

    async def _call(self, work: Callable[[], Answer]) -> Answer:
        self._watch.check_open()
        return await asyncio.wrap_future(self._worker.submit(work))
