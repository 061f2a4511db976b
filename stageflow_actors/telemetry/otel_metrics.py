"""``OtelRecorder``: metrics through the API of OpenTelemetry. Imports it."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator, Mapping
from functools import partial
from typing import Protocol

from opentelemetry.metrics import CallbackOptions, Histogram, Meter, MeterProvider, Observation

from stageflow_actors.telemetry.cardinality import BoundedSeries, Values
from stageflow_actors.telemetry.instruments import SCOPE, Instrument, Kind, all_instruments
from stageflow_actors.telemetry.kept_histograms import KeptHistograms
from stageflow_actors.telemetry.levels import Levels
from stageflow_actors.telemetry.recorder import Add

_MOST = 2**63 - 1
"""Beyond it no exporter could encode a sum, nor anything that is exported with it."""

Attributes = Mapping[str, str]


class OtelRecorder:
    """To one provider. Counts, and what gauges say, are kept here, and given whenever somebody
    collects: the SDK takes tens of times as long to add to a counter. So are histograms, where the
    provider can take them that way.
    """

    def __init__(self, provider: MeterProvider) -> None:
        meter = provider.get_meter(SCOPE)
        kept = getattr(provider, "kept_histograms", None)
        keeps = kept if isinstance(kept, KeptHistograms) else None
        self._sums = {
            each: _sum_of(meter, each, keeps)
            for each in all_instruments()
            if each.kind is not Kind.GAUGE
        }
        self._shown = {
            each: _Gauge(meter, each) for each in all_instruments() if each.kind is Kind.GAUGE
        }

    def adder(self, instrument: Instrument, values: Values) -> Add:
        return self._sums[instrument].adder(values)

    def show(
        self, instrument: Instrument, value: float | None, values: Values, source: Hashable
    ) -> None:
        self._shown[instrument].put(value, values, source)


class _Sum(Protocol):
    def adder(self, values: Values) -> Add: ...


class _Total:
    """What one series of a counter has come to."""

    __slots__ = ("_lock", "attributes", "value")

    def __init__(self, attributes: Attributes) -> None:
        self.attributes = attributes
        self.value: float = 0
        self._lock = threading.Lock()

    def add(self, value: float) -> None:
        with self._lock:
            self.value = min(self.value + value, _MOST)


class _Counter:
    def __init__(self, meter: Meter, instrument: Instrument) -> None:
        self._instrument = instrument
        self._totals: list[_Total] = []
        self._series = BoundedSeries(instrument, self._begin)
        meter.create_observable_counter(
            instrument.name, [self._observe], instrument.unit, instrument.description
        )

    def adder(self, values: Values) -> Add:
        return self._series.of(values).add

    def _begin(self, values: Values) -> _Total:
        total = _Total(self._instrument.labelled(values))
        self._totals.append(total)
        return total

    def _observe(self, _options: CallbackOptions) -> Iterator[Observation]:
        return (Observation(each.value, each.attributes) for each in list(self._totals))


class _Histogram:
    def __init__(self, meter: Meter, instrument: Instrument) -> None:
        made: Histogram = meter.create_histogram(
            instrument.name,
            instrument.unit,
            instrument.description,
            explicit_bucket_boundaries_advisory=instrument.boundaries,
        )

        def begin(values: Values) -> Add:
            return partial(made.record, attributes=instrument.labelled(values))

        self._series: BoundedSeries[Add] = BoundedSeries(instrument, begin)

    def adder(self, values: Values) -> Add:
        return self._series.of(values)


class _KeptHistogram:
    """Told to the SDK, too, once there is a reader that does not get it from us."""

    def __init__(self, meter: Meter, instrument: Instrument, kept: KeptHistograms) -> None:
        self._of_sdk = _Histogram(meter, instrument)
        self._all_kept = kept
        self._kept = kept.of(instrument)

    def adder(self, values: Values) -> Add:
        kept, add = self._all_kept, self._kept.adder(values)

        def add_to_both(value: float) -> None:
            add(value)
            if kept.has_other_readers:
                self._of_sdk.adder(values)(value)

        return add_to_both


class _Gauge:
    def __init__(self, meter: Meter, instrument: Instrument) -> None:
        self._levels: Levels[Attributes] = Levels(instrument)
        self._series = BoundedSeries(instrument, instrument.labelled)
        meter.create_observable_gauge(
            instrument.name, [self._observe], instrument.unit, instrument.description
        )

    def put(self, value: float | None, values: Values, source: Hashable) -> None:
        self._levels.put(source, values, value, self._series.of(values))

    def _observe(self, _options: CallbackOptions) -> Iterator[Observation]:
        return (Observation(*each) for each in self._levels.totals())


def _sum_of(meter: Meter, instrument: Instrument, kept: KeptHistograms | None) -> _Sum:
    if instrument.kind is Kind.COUNTER:
        return _Counter(meter, instrument)
    if kept is None:
        return _Histogram(meter, instrument)
    return _KeptHistogram(meter, instrument, kept)
