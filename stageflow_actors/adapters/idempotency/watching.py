"""``KeyWatch``: who waits in this process for which key to change, on whichever event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

from stageflow_actors.errors import RuntimeFault


class KeyWatch:
    """Wakes those who wait for a key, and all of them on closing. Usable from any thread."""

    __slots__ = ("_is_closed", "_lock", "_waiting")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, set[asyncio.Future[None]]] = {}
        self._is_closed = False

    @contextlib.contextmanager
    def waiting(self, key: str) -> Iterator[asyncio.Future[None]]:
        """A future of the running loop, done at the first ``wake`` of the key from now on."""
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with self._lock:
            self._waiting.setdefault(key, set()).add(woken)
        try:
            yield woken
        finally:
            with self._lock:
                others = self._waiting.get(key, set())
                others.discard(woken)
                if not others:
                    self._waiting.pop(key, None)

    def wake(self, key: str) -> None:
        """Wake everybody who waits for the key."""
        with self._lock:
            woken = [*self._waiting.get(key, ())]
        for future in woken:
            # A loop that was closed has nobody left to wake.
            with contextlib.suppress(RuntimeError):
                future.get_loop().call_soon_threadsafe(_settle, future)

    def check_open(self) -> None:
        """Raise ``RuntimeFault`` if the store was closed."""
        if self._is_closed:
            raise RuntimeFault(
                "The idempotency store was closed.",
                hint="Close it after the runtimes that use it.",
                code="IDEMPOTENCY-STORE",
            )

    def close(self) -> bool:
        """Wake everybody; ``False`` if this was done before."""
        with self._lock:
            was_open, self._is_closed = not self._is_closed, True
            keys = [*self._waiting]
        for key in keys:
            self.wake(key)
        return was_open


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
