"""``Cancellation``: a request to stop, and who hears of it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from stageflow_actors.errors import plain_text


class Cancellation:
    """A request to stop: set once, the first reason stays. Safe to use from any thread."""

    __slots__ = ("_is_abandoned", "_reason", "_watchers")
    _lock = threading.RLock()
    """One for all: it is held for a moment, and there is a request for every execution."""

    def __init__(self) -> None:
        self._reason: str | None = None
        self._is_abandoned = False
        self._watchers: list[Callable[[str], object]] | None = None

    @property
    def is_requested(self) -> bool:
        """Whether anybody asked to stop."""
        return self._reason is not None

    @property
    def reason(self) -> str | None:
        """Why, or ``None`` while nobody asked."""
        return self._reason

    @property
    def is_abandoned(self) -> bool:
        """Whether whoever was asked is not waited for any more: nothing of it counts."""
        return self._is_abandoned

    def abandon(self) -> None:
        """Wait for it no more."""
        self._is_abandoned = True

    def request(self, reason: str | None) -> bool:
        """Ask to stop; ``False`` where somebody had asked before."""
        reason = "" if reason is None else plain_text(reason)
        with self._lock:
            if self._reason is not None:
                return False
            self._reason = reason
            watchers, self._watchers = self._watchers, None
        for watcher in watchers or ():
            watcher(reason)
        return True

    def watch(self, watcher: Callable[[str], object]) -> None:
        """Call ``watcher(reason)`` once when asked to stop, at once if so already."""
        with self._lock:
            if self._reason is None:
                if self._watchers is None:
                    self._watchers = [watcher]
                else:
                    self._watchers.append(watcher)
                return
        watcher(self._reason)

    def unwatch(self, watcher: Callable[[str], object]) -> None:
        """Do not call it any more, if it watches."""
        with self._lock:
            if self._watchers is not None and watcher in self._watchers:
                self._watchers.remove(watcher)
