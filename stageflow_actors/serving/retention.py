"""``Retention``: which ended runs are still kept. Pure: it is told what time it is."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
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

    Times are seconds of a clock that never goes back. But for ``inherit`` each call is constant
    work, and once more for each that goes.
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
            self._crowd_out(key)
            return [*gone, key]
        return [*gone, *self._make_room()]

    def inherit(self, ended: Iterable[tuple[Key, int, float]], now: float) -> list[Key]:
        """Keep what ended elsewhere: a key, its size, and how many seconds ago. It stands among the
        others as if it had ended here, so it takes the room of none that ended later. As ``keep``,
        it gives those that go; with n of them together, it is n log n work.

        Raises:
            ValueError: one is kept already.
        """
        too_large = []
        for key, size, age_s in ended:
            if key in self._kept:
                raise ValueError(f"{key!r:.80} is kept already.")
            self._kept[key] = _Kept(size, now - age_s + self._kept_s)
            self._bytes += size
            if size > self._max_bytes:
                too_large.append(key)
        for key in too_large:
            self._crowd_out(key)
        self._kept = OrderedDict(sorted(self._kept.items(), key=lambda item: item[1].until))
        return [*too_large, *self.expire(now), *self._make_room()]

    def age_s(self, key: Key, now: float) -> float:
        """How long ago one ended that is kept."""
        return now - (self._kept[key].until - self._kept_s)

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

    def _make_room(self) -> list[Key]:
        gone = []
        while len(self._kept) > self._max_runs or self._bytes > self._max_bytes:
            first = next(iter(self._kept))
            self._crowd_out(first)
            gone.append(first)
        return gone

    def _crowd_out(self, key: Key) -> None:
        self._drop(key)
        self._crowded_out += 1

    def _drop(self, key: Key) -> None:
        self._bytes -= self._kept.pop(key).size
