"""``KeptHistograms``: histograms that are kept here, as the SDK would keep them.

The SDK takes ten times as long for each value, which is as much as all the rest of an attempt takes
to be measured. So exporters that we make get what is kept here; others get it from the SDK.
"""

from __future__ import annotations

import math
import threading
import time
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

from stageflow_actors.telemetry.cardinality import BoundedSeries, Values
from stageflow_actors.telemetry.instruments import Instrument


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
        self._boundaries = instrument.boundaries
        self._all: list[_Series] = []
        self._lock = threading.Lock()
        self._series = BoundedSeries(instrument, self._begin)

    def add(self, value: float, values: Values) -> None:
        """Count ``value``, unless it is negative, or no number: then it is left out."""
        if not 0 <= value < math.inf:
            return
        series = self._series.of(values)
        bucket = bisect_left(self._boundaries, value)
        with self._lock:
            series.counts[bucket] += 1
            series.total += value
            series.least = min(series.least, value)
            series.most = max(series.most, value)

    def series(self) -> list[HistogramSeries]:
        """What there is, as it is now: of sets of labels that had a value."""
        with self._lock:
            return [
                HistogramSeries(
                    each.attributes,
                    each.began_at_ns,
                    tuple(each.counts),
                    each.total,
                    each.least,
                    each.most,
                )
                for each in self._all
                if each.most >= 0
            ]

    def _begin(self, values: Values) -> _Series:
        series = _Series(self.instrument.labelled(values), len(self._boundaries) + 1)
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
    __slots__ = ("attributes", "began_at_ns", "counts", "least", "most", "total")

    def __init__(self, attributes: Mapping[str, str], buckets: int) -> None:
        self.attributes = attributes
        self.began_at_ns = time.time_ns()
        self.counts = [0] * buckets
        self.total: float = 0
        self.least = math.inf
        self.most = -math.inf
