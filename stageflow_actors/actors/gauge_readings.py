"""What the gauges of a deployment say. Loaded once somebody measures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from stageflow_actors.engine.breaker import BreakerState
from stageflow_actors.model.plan import Plan
from stageflow_actors.model.stats import DeploymentStats
from stageflow_actors.telemetry.cardinality import Values
from stageflow_actors.telemetry.instruments import Instrument, Instruments
from stageflow_actors.telemetry.measured import Measures
from stageflow_actors.telemetry.metrics import MetricsWriter

_STATES = MappingProxyType(
    {BreakerState.CLOSED.value: 0, BreakerState.HALF_OPEN.value: 1, BreakerState.OPEN.value: 2}
)

Description = Mapping[str, Any]
"""What ``Deployment.describe`` returns."""


class GaugeReadings:
    """Of one deployment: what is shown of it now, and the deaths that were counted."""

    def __init__(self, plan: Plan, measures: Measures) -> None:
        self._plan = plan
        self._measures = measures
        self._shown: dict[tuple[Instrument, Values], float] = {}
        self._deaths: set[tuple[Any, ...]] = set()

    def show(self, writer: MetricsWriter, stats: DeploymentStats, described: Description) -> None:
        """Show what there is, and count what has died since the last time."""
        self._replace(writer, dict(self._readings(stats, described)))
        if self._measures.stages:
            self._count_deaths(writer, described.get("restarts") or {})

    def hide(self, writer: MetricsWriter) -> None:
        """Show nothing any more."""
        self._replace(writer, {})

    def _replace(
        self, writer: MetricsWriter, readings: dict[tuple[Instrument, Values], float]
    ) -> None:
        former, self._shown = self._shown, readings
        for instrument, values in former.keys() - readings.keys():
            writer.show(instrument, None, values, id(self))
        for (instrument, values), value in readings.items():
            writer.show(instrument, value, values, id(self))

    def _readings(
        self, stats: DeploymentStats, described: Description
    ) -> Iterator[tuple[tuple[Instrument, Values], float]]:
        name = self._plan.name
        yield (Instruments.RUNS_IN_FLIGHT, (name,)), stats.runs.running
        yield (Instruments.RUNS_WAITING, (name,)), stats.runs.waiting
        if not self._measures.stages:
            return
        for stage in stats.stages.values():
            labels = name, stage.name
            yield (Instruments.REPLICAS, labels), stage.replicas
            yield (Instruments.EXECUTING, labels), stage.executing
            yield (Instruments.WAITING, labels), stage.waiting
        states = described.get("breakers") or {}
        for each in self._plan.stages:
            if each.breaker is not None:
                state = states.get(each.name, BreakerState.CLOSED.value)
                yield (Instruments.BREAKER, (name, each.name)), _STATES[state]

    def _count_deaths(self, writer: MetricsWriter, restarts: Description) -> None:
        """Each process that has died once: the description has the last ones."""
        deaths = {
            (each["stage"], each["pid"], each["epoch"], each["seen_at"])
            for each in restarts.get("deaths", ())
        }
        for stage, *_which in deaths - self._deaths:
            writer.record(Instruments.RESTARTS, 1, self._plan.name, stage)
        self._deaths = deaths
