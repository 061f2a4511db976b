"""``Cleanups``: what is to be done when a stage or a run has ended."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from stageflow_actors.errors import CleanupClosedError

Cleanup = Callable[[], Awaitable[Any] | Any]
"""Takes nothing; what it returns is awaited if it can be, and else ignored."""


class CleanupFailure(NamedTuple):
    """A cleanup that raised or took too long. ``stage`` is ``None`` for one of the run."""

    stage: str | None
    cleanup: str
    error_type: str
    message: str


class Cleanups:
    """The last one registered comes first, each comes once. Safe to use from any thread."""

    __slots__ = ("_is_closed", "_pending")
    _lock = threading.RLock()
    """One for all: it is held for a moment, and most have none."""

    def __init__(self, pending: list[Cleanup] | None = None) -> None:
        self._pending = pending or []
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._pending)

    def register(self, cleanup: Cleanup) -> None:
        """Add one more.

        Raises:
            TypeError: it cannot be called.
            CleanupClosedError: what it should clean up after has ended, cleanups included.
        """
        if not callable(cleanup):
            raise TypeError(f"A cleanup is a function without parameters, got {cleanup!r}.")
        with self._lock:
            if self._is_closed:
                raise CleanupClosedError(
                    f"The cleanup {name_of(cleanup)} came too late: it has all been cleaned up.",
                    hint="Register it before the stage, or the run, ends.",
                )
            self._pending.append(cleanup)

    def pop(self) -> Cleanup | None:
        """The next one to call. Where there is none, ``None``, and no other can follow."""
        with self._lock:
            if self._pending:
                return self._pending.pop()
            self._is_closed = True
            return None

    def close_empty(self) -> bool:
        """Whether there is none; then no other can follow."""
        with self._lock:
            self._is_closed = self._is_closed or not self._pending
            return not self._pending

    def hand_over(self) -> Cleanups:
        """All of them to a new owner; none stays here."""
        with self._lock:
            given, self._pending = self._pending, []
        return Cleanups(given)


NO_CLEANUPS = Cleanups()
"""For whom there is nothing to clean up, and never will be."""
NO_CLEANUPS.pop()


def name_of(cleanup: Cleanup) -> str:
    """What it is called in reports."""
    return getattr(cleanup, "__qualname__", None) or type(cleanup).__qualname__
