"""Metrics that were recorded in this process, with a meter provider of one test alone."""

from __future__ import annotations

from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from stageflow_actors import LocalRuntime, NoOpEventSink, StageOutput

SHORT = {
    "stageflow.pipeline.name": "pipeline",
    "stageflow.stage.name": "stage",
    "stageflow.attempt.outcome": "outcome",
    "stageflow.run.status": "status",
    "stageflow.child.pipeline.name": "child",
    "stageflow.events.place": "place",
    "error.type": "error",
}


class SeenMetrics:
    """Where metrics go. What is asked is collected anew each time."""

    def __init__(self, monkeypatch, *more_readers) -> None:
        self.reader = InMemoryMetricReader()
        self.provider = MeterProvider([self.reader, *more_readers], shutdown_on_exit=False)
        monkeypatch.setattr(metrics, "get_meter_provider", lambda: self.provider)

    def points(self, name):
        data = self.reader.get_metrics_data()
        for resource in [] if data is None else data.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    if metric.name == name:
                        return list(metric.data.data_points)
        return []

    @property
    def names(self):
        data = self.reader.get_metrics_data()
        found = [] if data is None else data.resource_metrics
        scopes = [scope for resource in found for scope in resource.scope_metrics]
        return {metric.name for scope in scopes for metric in scope.metrics}

    def values(self, name, *labels):
        """What was counted, or how often it was measured, by these labels in short."""
        found = {}
        for point in self.points(name):
            told = {SHORT.get(key, key): value for key, value in point.attributes.items()}
            key = tuple(told.get(label) for label in labels)
            found[key] = found.get(key, 0) + getattr(point, "value", getattr(point, "count", 0))
        return found

    def total(self, name):
        """All together; of a histogram what was measured."""
        points = self.points(name)
        return sum(point.sum if hasattr(point, "sum") else point.value for point in points)


async def fine(ctx):
    return StageOutput.ok()


async def results_of(pipeline, times=1, **options):
    """How so many runs end; by then all was recorded."""
    async with (
        LocalRuntime(event_sink=NoOpEventSink(), **options) as runtime,
        runtime.deploy(pipeline) as app,
    ):
        runs = [await app.start(input_text="Hi") for _ in range(times)]
        return [await run.result() for run in runs]
