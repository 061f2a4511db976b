"""Events of several runs that come by turns: each span and each count is of its own run."""

from __future__ import annotations

from collections import Counter
from itertools import chain

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from stageflow_actors.model.events import Event
from stageflow_actors.model.trace import attempt_span_id
from stageflow_actors.telemetry.measured import Measured
from stageflow_actors.telemetry.metrics import MetricsWriter
from stageflow_actors.telemetry.otel_metrics import OtelRecorder
from stageflow_actors.telemetry.sink import TelemetrySink
from stageflow_actors.telemetry.spans import SpanWriter

RUNS = range(1, 4)


def labels_of(run):
    return {
        "pipeline_run_id": f"run-{run}",
        "topology": f"pipeline-{run}",
        "trace_id": f"{run:032x}",
        "span_id": f"{run:016x}",
        "trace_flags": "01",
    }


def events_of(run):
    told = [("pipeline.created", None, {})]
    for stage, before in (("dig", ()), ("plant", ("dig",))):
        told.append((f"stage.{stage}.started", stage, {"dependencies": before}))
        told.append((f"stage.{stage}.completed", stage, {"status": "ok"}))
    told.append(("pipeline.completed", None, {"status": "ok"}))
    return [
        Event(type_, seq, 100.0 * run + seq, stage, 1 if stage else None, data)
        for seq, (type_, stage, data) in enumerate(told, 1)
    ]


def test_runs_whose_events_come_by_turns_have_their_own_spans():
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    writer = SpanWriter(provider)
    sink = TelemetrySink(lambda: [writer], 10, lambda _story: None)
    labels = [labels_of(run) for run in RUNS]
    by_turns = zip(*(events_of(run) for run in RUNS), strict=True)
    for number, event in enumerate(chain.from_iterable(by_turns)):
        sink.take_events(labels[number % len(RUNS)], [event])
    spans = exporter.get_finished_spans()
    for run in RUNS:
        own = {span.name: span for span in spans if span.context.trace_id == run}
        assert own.keys() == {
            f"invoke_workflow pipeline-{run}",
            "stageflow.stage dig",
            "stageflow.stage plant",
        }
        for stage in ("dig", "plant"):
            span = own[f"stageflow.stage {stage}"]
            assert span.context.span_id == int(attempt_span_id(f"{run:016x}", stage, 1), 16)
            assert span.parent.span_id == run
            assert span.attributes["stageflow.pipeline.name"] == f"pipeline-{run}"
            assert span.attributes["stageflow.run.id"] == f"run-{run}"
        (link,) = own["stageflow.stage plant"].links
        assert link.context == own["stageflow.stage dig"].context
    provider.shutdown()


def test_runs_under_one_id_are_told_apart_without_spans():
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    writer = MetricsWriter([OtelRecorder(provider)], Measured())
    sink = TelemetrySink(lambda: [writer], 10, lambda _story: None)
    labels = [{"pipeline_run_id": "one", "topology": f"pipeline-{run}"} for run in RUNS]
    by_turns = zip(*(events_of(run) for run in RUNS), strict=True)
    for number, event in enumerate(chain.from_iterable(by_turns)):
        sink.take_events(labels[number % len(RUNS)], [event])
    counted = Counter()
    for metric in reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics:
        if metric.name in ("stageflow.runs", "stageflow.stage.attempts"):
            for point in metric.data.data_points:
                counted[metric.name, point.attributes["stageflow.pipeline.name"]] += point.value
    assert counted == {
        (name, f"pipeline-{run}"): count
        for name, count in (("stageflow.runs", 1), ("stageflow.stage.attempts", 2))
        for run in RUNS
    }
    provider.shutdown()
