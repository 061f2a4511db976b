"""``BodyThreads``: where plain ``def`` bodies run.

Daemons, unlike those of ``ThreadPoolExecutor``: Python waits for the others when it exits, and a
body that was given up may never end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any

_Work = tuple[Future[Any], Callable[[], Any]]


class BodyThreads:
    """At most ``most`` threads, started as they are needed; further bodies wait."""

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._waiting: SimpleQueue[_Work | None] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._threads = 0

    def submit(self, body: Callable[[], Any]) -> Future[Any]:
        """Call ``body`` in a thread. To be called from one thread only."""
        future: Future[Any] = Future()
        self._waiting.put((future, body))
        if not self._idle.acquire(blocking=False) and self._threads < self._most:
            self._threads += 1
            name = f"{self._name}_{self._threads}"
            threading.Thread(target=self._run, name=name, daemon=True).start()
        return future

    def replace_one(self) -> None:
        """One of them is busy for good: let there be another in its place."""
        self._most += 1

    def shutdown(self) -> None:
        """Take back what waits, and let the threads end when they have done what they do."""
        try:
            while (work := self._waiting.get_nowait()) is not None:
                work[0].cancel()
        except Empty:
            pass
        self._waiting.put(None)

    def _run(self) -> None:
        while (work := self._waiting.get()) is not None:
            future, body = work
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(body())
                except BaseException as error:
                    future.set_exception(error)
            del work, future, body  # or it would keep what it has done until the next one comes
            self._idle.release()
        self._waiting.put(None)  # for the next one
