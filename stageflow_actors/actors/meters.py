"""``Meter``: counts the executions of one stage in one process, as cheaply as may be.

Times are in seconds of one clock that never goes back.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from stageflow_actors.model.stats import BatchStats, StageStats


class Meter:
    """``load`` executions were given to the process and have not come back.

    ``batches`` is what the process has told last, where anybody asks it for that.
    """

    __slots__ = (
        "_busy_from",
        "_busy_s",
        "_ready_from",
        "_until",
        "batches",
        "executions",
        "load",
        "received_bytes",
        "sent_bytes",
    )

    def __init__(self) -> None:
        self.load = 0
        self.executions = 0
        self.sent_bytes = 0
        self.received_bytes = 0
        self.batches: BatchStats | None = None
        self._busy_s = 0.0
        self._busy_from = -math.inf
        self._ready_from = math.inf
        self._until = math.inf

    @property
    def is_closed(self) -> bool:
        """Whether it will count nothing any more."""
        return self._until < math.inf and not self.load

    def open(self, now: float) -> None:
        """The process is ready."""
        self._ready_from = self._busy_from = now

    def close(self, now: float) -> None:
        """The process has ended; what it had comes back all the same."""
        self._until = min(self._until, now)

    def begin(self, now: float, size: int = 0) -> None:
        """One more was given to it, with so many bytes. ``now`` may be a while ago: what was busy
        meanwhile is not counted twice.
        """
        if not self.load:
            self._busy_from = max(now, self._busy_from)
        self.load += 1
        self.sent_bytes += size

    def end(self, now: float, size: int = 0) -> None:
        """One has come back, with so many bytes, or is lost."""
        self.executions += 1
        self.received_bytes += size
        self.take_back(now)

    def take_back(self, now: float) -> None:
        """One was taken back that the process has never seen."""
        self.load -= 1
        if not self.load:
            self._busy_s += self._busy_since(now)
            self._busy_from = now

    def note_batches(self, told: BatchStats) -> None:
        """Take what the process has told of its batches; of two answers the later one counts."""
        known = self.batches
        if known is None or (told.batches, told.splits) >= (known.batches, known.splits):
            self.batches = told

    def tally(self, now: float) -> Tally:
        """The counts of now."""
        return Tally(
            self.load,
            self.executions,
            self._busy_s + (self._busy_since(now) if self.load else 0.0),
            max(0.0, min(now, self._until) - self._ready_from),
            self.sent_bytes,
            self.received_bytes,
            self.batches,
        )

    def _busy_since(self, now: float) -> float:
        return max(0.0, min(now, self._until) - self._busy_from)


class Tally(NamedTuple):
    """The counts of a meter, or of several; their names are those of ``StageStats``."""

    executing: int = 0
    executions: int = 0
    busy_s: float = 0.0
    ready_s: float = 0.0
    sent_bytes: int = 0
    received_bytes: int = 0
    batches: BatchStats | None = None

    def plus(self, other: Tally) -> Tally:
        """Both together."""
        batches = self.batches and other.batches and _both(self.batches, other.batches)
        return Tally(
            self.executing + other.executing,
            self.executions + other.executions,
            self.busy_s + other.busy_s,
            self.ready_s + other.ready_s,
            self.sent_bytes + other.sent_bytes,
            self.received_bytes + other.received_bytes,
            batches or self.batches or other.batches,
        )

    def stats(
        self, name: str, *, replicas: int, waiting: int, takes_batches: bool = False
    ) -> StageStats:
        """The same of a stage with that name."""
        batches = (self.batches or BatchStats()) if takes_batches else None
        counts = self._replace(batches=batches)._asdict()
        return StageStats(name=name, replicas=replicas, waiting=waiting, **counts)


class Ledger:
    """The meters of one stage, and the sum of those that are closed: nothing counted is lost."""

    __slots__ = ("_closed", "_meters")

    def __init__(self) -> None:
        self._meters: list[Meter] = []
        self._closed = Tally()

    def add(self, meter: Meter) -> None:
        """Count what this one does, too."""
        self._sum_up()
        self._meters.append(meter)

    def tally(self, now: float) -> Tally:
        """All together."""
        self._sum_up()
        return _sum(self._closed, self._meters, now)

    def _sum_up(self) -> None:
        """Keep no meter of a process that is gone; there may be any number of these."""
        closed = [meter for meter in self._meters if meter.is_closed]
        if closed:
            self._closed = _sum(self._closed, closed, math.inf)
            self._meters = [meter for meter in self._meters if not meter.is_closed]


def _sum(first: Tally, meters: Iterable[Meter], now: float) -> Tally:
    for meter in meters:
        first = first.plus(meter.tally(now))
    return first


def _both(one: BatchStats, other: BatchStats) -> BatchStats:
    return BatchStats(
        one.batches + other.batches,
        one.items + other.items,
        max(one.largest, other.largest),
        one.splits + other.splits,
    )
