"""What the gauges of a deployment say. Loaded once somebody measures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import Any

from stageflow_actors.actors.gauges import Sight
from stageflow_actors.engine.breaker import BreakerState
from stageflow_actors.telemetry.cardinality import Values
from stageflow_actors.telemetry.instruments import Instrument, Instruments
from stageflow_actors.telemetry.metrics import MetricsWriter

_STATES = MappingProxyType(
    {BreakerState.CLOSED.value: 0, BreakerState.HALF_OPEN.value: 1, BreakerState.OPEN.value: 2}
)

_Shown = tuple[tuple[str, ...], Instrument, Values]
"""A gauge of the pipeline in that place."""


class GaugeReadings:
    """Of one deployment: what is shown of it now, and the deaths that were counted."""

    def __init__(self) -> None:
        self._shown: dict[_Shown, float] = {}
        self._deaths: dict[tuple[str, ...], set[tuple[Any, ...]]] = {}

    def show(self, writer: MetricsWriter, sights: Sequence[Sight]) -> None:
        """Show what there is, and count what has died since the last time."""
        readings = [
            ((sight.place, instrument, values), value)
            for sight in sights
            for instrument, values, value in _readings(sight)
        ]
        self._replace(writer, dict(readings))
        for sight in sights:
            if sight.measures.stages:
                self._count_deaths(writer, sight)

    def hide(self, writer: MetricsWriter) -> None:
        """Show nothing any more."""
        self._replace(writer, {})

    def _replace(self, writer: MetricsWriter, readings: dict[_Shown, float]) -> None:
        former, self._shown = self._shown, readings
        for place, instrument, values in former.keys() - readings.keys():
            writer.show(instrument, None, values, (id(self), place))
        for (place, instrument, values), value in readings.items():
            writer.show(instrument, value, values, (id(self), place))

    def _count_deaths(self, writer: MetricsWriter, sight: Sight) -> None:
        """Each process that has died once: the description has the last ones."""
        restarts = sight.described.get("restarts") or {}
        deaths = {
            (each["stage"], each["pid"], each["epoch"], each["seen_at"])
            for each in restarts.get("deaths", ())
        }
        for stage, *_which in deaths - self._deaths.get(sight.place, set()):
            writer.record(Instruments.RESTARTS, 1, sight.plan.name, stage)
        self._deaths[sight.place] = deaths


def _readings(sight: Sight) -> Iterator[tuple[Instrument, Values, float]]:
    name, described = sight.plan.name, sight.described
    yield Instruments.RUNS_IN_FLIGHT, (name,), described["runs"]["running"]
    yield Instruments.RUNS_WAITING, (name,), described["runs"]["waiting"]
    if not sight.measures.stages:
        return
    for stage in described["stages"]:
        labels = name, stage["name"]
        yield Instruments.REPLICAS, labels, stage["replicas"]
        yield Instruments.EXECUTING, labels, stage["in_flight"]
        yield Instruments.WAITING, labels, stage["waiting"]
    states = described.get("breakers") or {}
    for each in sight.plan.stages:
        if each.breaker is not None:
            state = states.get(each.name, BreakerState.CLOSED.value)
            yield Instruments.BREAKER, (name, each.name), _STATES[state]
