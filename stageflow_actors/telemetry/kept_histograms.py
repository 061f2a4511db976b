"""``KeptHistograms``: histograms that are kept here, as the SDK would keep them.

The SDK takes ten times as long for each value, which is as much as all the rest of an attempt takes
to be measured. So exporters that we make get what is kept here; others get it from the SDK.
"""

from __future__ import annotations

import math
import threading
import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stageflow_actors.telemetry.cardinality import BoundedSeries, Values
from stageflow_actors.telemetry.instruments import Instrument
from stageflow_actors.telemetry.recorder import Add


@dataclass(frozen=True, slots=True)
class HistogramSeries:
    """All values so far of one set of labels.

    ``counts`` has one number for each bucket, and one for what is above the last boundary.
    ``began_at_ns`` is since the Unix epoch.
    """

    attributes: Mapping[str, str]
    began_at_ns: int
    counts: tuple[int, ...]
    total: float
    least: float
    most: float


class KeptHistogram:
    """One instrument's. To be used from any thread."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self._all: list[_Series] = []
        self._series = BoundedSeries(instrument, self._begin)

    def adder(self, values: Values) -> Add:
        """What counts a value, unless it is negative, or no number: then it is left out."""
        return self._series.of(values).add

    def all_series(self) -> list[HistogramSeries]:
        """What there is, as it is now: of sets of labels that had a value."""
        told = [each.told() for each in list(self._all)]
        return [each for each in told if each.most >= 0]

    def _begin(self, values: Values) -> _Series:
        series = _Series(self.instrument.labelled(values), self.instrument.boundaries)
        self._all.append(series)
        return series


class KeptHistograms:
    """Those of one provider.

    ``has_other_readers``: somebody has added a reader of their own to the provider, which the SDK
    has to be told for, too.
    """

    def __init__(self) -> None:
        self._known: dict[Instrument, KeptHistogram] = {}
        self.has_other_readers = False

    def of(self, instrument: Instrument) -> KeptHistogram:
        """That of ``instrument``, which is made if there is none."""
        return self._known.setdefault(instrument, KeptHistogram(instrument))

    def all(self) -> list[KeptHistogram]:
        """Those that there are."""
        return list(self._known.values())


class _Series:
    __slots__ = (
        "_attributes",
        "_began_at_ns",
        "_boundaries",
        "_counts",
        "_least",
        "_lock",
        "_most",
        "_total",
    )

    def __init__(self, attributes: Mapping[str, str], boundaries: Sequence[float]) -> None:
        self._attributes = attributes
        self._boundaries = boundaries
        self._began_at_ns = time.time_ns()
        self._counts = [0] * (len(boundaries) + 1)
        self._total: float = 0
        self._least = math.inf
        self._most = -math.inf
        self._lock = threading.Lock()

    def add(self, value: float) -> None:
        if not 0 <= value < math.inf:
            return
        bucket = bisect_left(self._boundaries, value)
        with self._lock:
            self._counts[bucket] += 1
            self._total += value
            self._least = min(self._least, value)
            self._most = max(self._most, value)

    def told(self) -> HistogramSeries:
        with self._lock:
            return HistogramSeries(
                self._attributes,
                self._began_at_ns,
                tuple(self._counts),
                self._total,
                self._least,
                self._most,
            )
