"""``Retention``: which ended runs are still kept. Pure: it is told what time it is."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, NamedTuple, TypeVar

Key = TypeVar("Key")


class RetentionStats(NamedTuple):
    """What is kept, and how many went: their time was up, or there was no room for them."""

    runs: int
    bytes: int
    expired: int
    crowded_out: int


class _Kept(NamedTuple):
    size: int
    until: float


class Retention(Generic[Key]):
    """Keeps the last to end: ``kept_s`` long, at most ``max_runs``, of at most ``max_bytes``.

    Times are seconds of a clock that never goes back. Each call is constant work, and once more
    for each that goes.
    """

    __slots__ = (
        "_bytes",
        "_crowded_out",
        "_expired",
        "_kept",
        "_kept_s",
        "_max_bytes",
        "_max_runs",
    )

    def __init__(self, kept_s: float, max_runs: int, max_bytes: int) -> None:
        self._kept_s = kept_s
        self._max_runs = max_runs
        self._max_bytes = max_bytes
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._bytes = 0
        self._expired = 0
        self._crowded_out = 0

    def keep(self, key: Key, size: int, now: float) -> list[Key]:
        """Keep one that has just ended; gives those that go, ``key`` itself if it is too large.

        Raises:
            ValueError: it is kept already.
        """
        if key in self._kept:
            raise ValueError(f"{key!r:.80} is kept already.")
        gone = self.expire(now)
        self._kept[key] = _Kept(size, now + self._kept_s)
        self._bytes += size
        if size > self._max_bytes:
            self._drop(key)
            self._crowded_out += 1
            return [*gone, key]
        while len(self._kept) > self._max_runs or self._bytes > self._max_bytes:
            first = next(iter(self._kept))
            self._drop(first)
            self._crowded_out += 1
            gone.append(first)
        return gone

    def expire(self, now: float) -> list[Key]:
        """Those whose time is up."""
        gone: list[Key] = []
        for key, kept in self._kept.items():
            if kept.until > now:
                break
            gone.append(key)
        for key in gone:
            self._drop(key)
        self._expired += len(gone)
        return gone

    def stats(self) -> RetentionStats:
        """What is kept, and what went."""
        return RetentionStats(len(self._kept), self._bytes, self._expired, self._crowded_out)

    def _drop(self, key: Key) -> None:
        self._bytes -= self._kept.pop(key).size
