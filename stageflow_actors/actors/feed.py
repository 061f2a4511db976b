"""``Feed``: who is told of the runs of a runtime: its sink, and OpenTelemetry where it is on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from stageflow_actors.actors.event_pump import Batch, EventPump, PumpStatistics
from stageflow_actors.model.ancestry import Ancestry
from stageflow_actors.model.events import Event, Labels, run_labels
from stageflow_actors.model.pipeline_context import PipelineContext
from stageflow_actors.model.snapshot import ContextSnapshot
from stageflow_actors.model.trace import TraceContext
from stageflow_actors.ports import Deployable
from stageflow_actors.telemetry.measured import Measures
from stageflow_actors.telemetry.metering import Metering
from stageflow_actors.telemetry.sink import TelemetrySink
from stageflow_actors.telemetry.telemetry import Telemetry

PumpSource = Callable[[], EventPump]
"""Where events go now; the default sink of a process may change while deployments are open."""


_LINGER_S = 0.05
_TURN_S = 0.001
"""An event loop that has work to do waits at most so long; to give way costs more than to tell a
run.
"""


@dataclass(frozen=True, slots=True)
class TelemetryStatistics(PumpStatistics):
    """``failed`` are those that somebody who makes spans or metrics raised at; and the runs that
    were given up before their end, as more than ``Settings.max_observed_runs`` went on.
    """

    unobserved_runs: int


class RunLabels:
    """What every event of one run says of it.

    Whoever makes spans and metrics gets one object for all of the run: by it runs are told apart,
    as those on one context have one id.
    """

    __slots__ = ("_ancestry", "_kept", "_snapshot", "_trace")

    def __init__(
        self, snapshot: ContextSnapshot, ancestry: Ancestry | None, trace: TraceContext | None
    ) -> None:
        self._snapshot = snapshot
        self._ancestry = ancestry
        self._trace = trace
        self._kept: Labels | None = None

    def __call__(self) -> Labels:
        return self._kept or run_labels(self._snapshot, self._ancestry, self._trace)

    def keep(self) -> None:
        """Have them be the same object from now on."""
        self._kept = self()


class TelemetryPump(EventPump):
    """Hands events over as they are: spans and metrics are made of them without waiting."""

    def __init__(self, sink: TelemetrySink, max_queued: int) -> None:
        super().__init__(sink, max_queued, _LINGER_S)
        self._take = sink.take_events

    def _run(self) -> None:
        while batches := self._next():
            self._tell_all(batches)
            batches = ()  # or they would be kept until there are others

    def _tell_all(self, batches: Sequence[Batch]) -> None:
        told = failed = 0
        turn_ends_at = time.monotonic() + _TURN_S
        for labels, events in batches:
            try:
                missed = self._take(labels, events)
            except Exception as error:
                self._warn_once(error)
                missed = len(events)
            failed += missed
            told += len(events) - missed
            if time.monotonic() >= turn_ends_at:
                self._count(told, failed)
                told = failed = 0
                time.sleep(0)  # an event loop that has work to do need not wait for its turn
                turn_ends_at = time.monotonic() + _TURN_S
        self._count(told, failed)


class Feed:
    """Each has a queue and a thread of its own: one that is slow costs the other nothing.

    ``gauges_interval_s`` is for deployments: how often they look what there is to tell.
    """

    def __init__(
        self,
        sink: PumpSource,
        telemetry: Telemetry,
        max_queued: int,
        gauges_interval_s: float,
    ) -> None:
        self.gauges_interval_s = gauges_interval_s
        self._sink = sink
        self._telemetry = telemetry
        self._max_queued = max_queued
        self._exporting: TelemetryPump | None = None
        self._lock = threading.Lock()

    @property
    def telemetry_statistics(self) -> TelemetryStatistics:
        """What has become of what goes to OpenTelemetry."""
        pump = self._exporting
        counts = PumpStatistics(0, 0, 0, 0, 0) if pump is None else pump.statistics
        return TelemetryStatistics(**asdict(counts), unobserved_runs=self._telemetry.unobserved)

    @property
    def metering(self) -> Metering:
        """What is measured."""
        return self._telemetry.metering

    def know(self, pipeline: Deployable) -> Measures:
        """Learn what of its runs is to be measured: what its interceptors say."""
        measures = _measures_of(pipeline)
        self.metering.measured.tell(pipeline.plan.name, measures)
        return measures

    def begin(self, context: PipelineContext, measures: Measures, pipeline: str) -> PipelineContext:
        """The run that is to start in its place in a trace, if it has one.

        ``context`` stays as it is: the next run on it is not below this one.
        """
        topology = context.topology or pipeline  # which may be another name than its pipeline's
        self.metering.measured.tell(topology, measures)
        trace = self._telemetry.begin(context.trace, topology)
        return context if trace is None else context.with_trace(trace)

    def submit(self, labels: RunLabels, events: Sequence[Event]) -> None:
        """Tell the events of one run; never waits."""
        is_exported = self._telemetry.is_on
        if is_exported:
            labels.keep()
        dropped = self._sink().submit(labels, events)
        if dropped:
            self.metering.dropped(dropped, "sink")
        if is_exported:
            dropped = self._export().submit(labels, events)
            if dropped:
                self.metering.dropped(dropped, "telemetry")

    def flush(self, timeout_s: float) -> bool:
        """Wait until both have had every event so far; ``False`` if that took too long."""
        deadline = time.monotonic() + timeout_s
        is_told = self._sink().flush(timeout_s)
        if self._exporting is None:
            return is_told
        return self._exporting.flush(max(0.0, deadline - time.monotonic())) and is_told

    def close(self, timeout_s: float) -> None:
        """Let OpenTelemetry have what it is owed."""
        if self._exporting is not None:
            self._exporting.close(timeout_s)

    def _export(self) -> TelemetryPump:
        with self._lock:
            if self._exporting is None:
                self._exporting = TelemetryPump(self._telemetry.sink, self._max_queued)
            return self._exporting


def _measures_of(pipeline: Deployable) -> Measures:
    from stageflow_actors.interceptors.observers import (
        ChildTrackerMetricsInterceptor,
        MetricsInterceptor,
    )

    kinds = {type(each) for each in pipeline.interceptors}
    return Measures(MetricsInterceptor in kinds, ChildTrackerMetricsInterceptor in kinds)
