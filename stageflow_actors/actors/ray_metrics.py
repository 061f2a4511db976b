"""``RayRecorder``: metrics through Ray's own, which each node of it offers to Prometheus."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Mapping
from functools import partial
from typing import Any

import ray
from ray.util.metrics import Counter, Gauge, Histogram

from stageflow_actors.telemetry.cardinality import BoundedSeries, Values
from stageflow_actors.telemetry.instruments import Instrument, Kind
from stageflow_actors.telemetry.levels import Levels
from stageflow_actors.telemetry.recorder import Add

_PREFIX = "stageflow"
_UNITS = (("s", "_seconds"),)

Tags = Mapping[str, str]


class RayRecorder:
    """Records in this process, while it is connected to Ray; what comes before counts for nothing.

    Ray keeps every set of tags as long as its processes live, and estimates the sums of histograms
    from their buckets: whoever needs an exact sum takes a counter.
    """

    def __init__(self) -> None:
        self._made: dict[Instrument, tuple[Any, BoundedSeries[Tags]]] = {}
        self._levels: dict[Instrument, Levels[Tags]] = {}
        self._lock = threading.Lock()

    def adder(self, instrument: Instrument, values: Values) -> Add:
        return partial(self._add, instrument, values)  # this process may be connected to Ray later

    def _add(self, instrument: Instrument, values: Values, value: float) -> None:
        if not ray.is_initialized():
            return
        write, series = self._made.get(instrument) or self._make(instrument)
        if value or instrument.kind is Kind.HISTOGRAM:  # a counter of Ray takes no zero
            write(value, series.of(values))

    def show(
        self, instrument: Instrument, value: float | None, values: Values, source: Hashable
    ) -> None:
        if not ray.is_initialized():
            return
        write, series = self._made.get(instrument) or self._make(instrument)
        tags, levels = series.of(values), self._levels[instrument]
        levels.put(source, values, value, tags)
        write(levels.total(tags) or 0, tags)  # what nobody shows any more stays there, as nothing

    def _make(self, instrument: Instrument) -> tuple[Any, BoundedSeries[Tags]]:
        with self._lock:
            if instrument not in self._made:
                self._levels[instrument] = Levels(instrument)
                series = BoundedSeries(instrument, partial(_tags, instrument))
                self._made[instrument] = _writer(instrument), series
            return self._made[instrument]


def ray_name(instrument: Instrument) -> str:
    """What Prometheus has it under, behind ``ray_``; of a counter it ends in ``_total`` there."""
    name = instrument.name.replace(".", "_") + dict(_UNITS).get(instrument.unit, "")
    return name if name.startswith(_PREFIX) else f"{_PREFIX}_{name}"


def _writer(instrument: Instrument) -> Any:
    name, told = ray_name(instrument), instrument.description
    keys = tuple(map(_tag_key, instrument.labels))
    if instrument.kind is Kind.COUNTER:
        return Counter(name, told, tag_keys=keys).inc
    if instrument.kind is Kind.GAUGE:
        return Gauge(name, told, tag_keys=keys).set
    return Histogram(name, told, boundaries=list(instrument.boundaries), tag_keys=keys).observe


def _tags(instrument: Instrument, values: Values) -> Tags:
    """Every label has a tag, and Ray takes ASCII only."""
    return {
        _tag_key(name): (value or "").encode("ascii", "backslashreplace").decode()
        for name, value in zip(instrument.labels, values, strict=True)
    }


def _tag_key(label: str) -> str:
    return label.replace(".", "_")
