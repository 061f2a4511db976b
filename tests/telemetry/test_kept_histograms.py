"""Histograms that are kept here leave the process as those of the SDK would."""

from __future__ import annotations

import math
import os
import threading

import pytest
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    ConsoleMetricExporter,
    InMemoryMetricReader,
    MetricExporter,
    MetricExportResult,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.view import (
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
)
from opentelemetry.sdk.resources import Resource

from stageflow_actors.telemetry.batch_processors import NoticedMetrics
from stageflow_actors.telemetry.exporters import exporters_asked_for
from stageflow_actors.telemetry.histogram_export import KeepingProvider, exports_as_kept
from stageflow_actors.telemetry.instruments import Instruments
from stageflow_actors.telemetry.kept_histograms import KeptHistogram, KeptHistograms
from stageflow_actors.telemetry.otel_metrics import OtelRecorder
from stageflow_actors.telemetry.providers import make_providers
from tests.telemetry.otlp_receiver import OtlpReceiver

TOOK = Instruments.ATTEMPT_DURATION
DUG, FAILED = ("garden", "dig", "completed"), ("garden", "dig", "failed")
VALUES = (0, 0.004, 0.005, 0.0051, 1, 2.5, 1799.9, 1800, 1800.1, 90_000)
RESOURCE = Resource({"service.name": "theirs"})


class Keeps(MetricExporter):
    """The last that it was given."""

    def export(self, metrics_data, timeout_millis=10_000, **kwargs):
        self.seen = metrics_data
        return MetricExportResult.SUCCESS

    def shutdown(self, timeout_millis=30_000, **kwargs):
        """Nothing is left to do."""

    def force_flush(self, timeout_millis=10_000):
        return True


@pytest.fixture
def kept():
    """A provider that keeps, and how to see what it exports."""
    exporter, histograms = Keeps(), KeptHistograms()
    reader = PeriodicExportingMetricReader(NoticedMetrics(exporter, histograms), math.inf)
    provider = KeepingProvider([reader], RESOURCE, histograms)

    def exported():
        reader.collect()
        return exporter.seen

    yield provider, exported
    provider.shutdown()


def record(provider, values=VALUES):
    recorder = OtelRecorder(provider)
    for value in values:
        recorder.adder(Instruments.ATTEMPTS, (*DUG, None))(1)
        recorder.adder(TOOK, DUG)(value)
        recorder.adder(Instruments.QUEUE_DURATION, ("garden", None))(value / 2)
    recorder.adder(TOOK, FAILED)(3)


def metrics_of(data):
    [resource] = data.resource_metrics
    assert resource.resource.attributes["service.name"] == "theirs"
    return [
        (scope.scope.name, metric) for scope in resource.scope_metrics for metric in scope.metrics
    ]


def told(data):
    """All that there is to say of each metric but when it was."""
    return {
        (scope, metric.name): (
            metric.unit,
            metric.description,
            type(metric.data),
            metric.data.aggregation_temporality,
            [point_told(point) for point in metric.data.data_points],
        )
        for scope, metric in metrics_of(data)
    }


def point_told(point):
    fields = ("value", "count", "sum", "bucket_counts", "explicit_bounds", "min", "max")
    assert point.start_time_unix_nano <= point.time_unix_nano
    return dict(point.attributes), [getattr(point, name, None) for name in fields]


def test_what_is_exported_is_what_the_sdk_would_export(kept):
    provider, exported = kept
    reader = InMemoryMetricReader()
    plain = MeterProvider([reader], RESOURCE, shutdown_on_exit=False)
    for each in (provider, plain):
        each.get_meter("theirs").create_counter("cups").add(2)
        record(each)
    assert told(exported()) == told(reader.get_metrics_data())
    plain.shutdown()


def test_each_export_has_the_sums_since_the_beginning(kept):
    provider, exported = kept
    recorder = OtelRecorder(provider)
    seen = []
    for value in (1, 2):
        recorder.adder(Instruments.ATTEMPTS, (*DUG, None))(1)
        recorder.adder(TOOK, DUG)(value)
        [[point]] = [m.data.data_points for _, m in metrics_of(exported()) if m.name == TOOK.name]
        seen.append(point)
    assert [(point.count, point.sum, point.min, point.max) for point in seen] == [
        (1, 1, 1, 1),
        (2, 3, 1, 2),
    ]
    assert seen[0].start_time_unix_nano == seen[1].start_time_unix_nano
    assert seen[0].time_unix_nano <= seen[1].time_unix_nano


def test_without_values_there_is_no_histogram(kept):
    provider, exported = kept
    OtelRecorder(provider).adder(Instruments.ATTEMPTS, (*DUG, None))(1)
    assert [metric.name for _, metric in metrics_of(exported())] == [Instruments.ATTEMPTS.name]


def test_a_reader_that_is_added_later_has_histograms_and_no_exporter_has_them_twice(kept):
    provider, exported = kept
    recorder = OtelRecorder(provider)
    recorder.adder(Instruments.ATTEMPTS, (*DUG, None))(1)
    recorder.adder(TOOK, DUG)(1)
    reader = InMemoryMetricReader()
    provider.add_metric_reader(reader)
    recorder.adder(TOOK, DUG)(2)

    def counts(data):
        found = [metric for _, metric in metrics_of(data) if metric.name == TOOK.name]
        return [point.count for metric in found for point in metric.data.data_points]

    assert counts(reader.get_metrics_data()) == [1]
    assert counts(exported()) == [2]


@pytest.mark.parametrize("odd", [-1, -math.inf, math.inf, math.nan])
def test_what_no_bucket_is_for_spoils_no_sum(odd):
    histogram = KeptHistogram(TOOK)
    histogram.adder(DUG)(odd)
    assert histogram.all_series() == []
    histogram.adder(DUG)(2)
    histogram.adder(DUG)(odd)
    [series] = histogram.all_series()
    assert (sum(series.counts), series.total, series.least, series.most) == (1, 2, 2, 2)


def test_threads_lose_no_value():
    histogram = KeptHistogram(TOOK)
    threads = [
        threading.Thread(target=lambda: [histogram.adder(DUG)(0.5) for _ in range(2_000)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [series] = histogram.all_series()
    assert (sum(series.counts), series.total) == (8_000, 4_000)


def wants(temporality=None, aggregation=None):
    exporter = Keeps(
        None if temporality is None else {Histogram: temporality},
        None if aggregation is None else {Histogram: aggregation},
    )
    return exporter


def test_an_exporter_of_plain_sums_takes_what_is_kept():
    for exporter in (
        wants(),
        wants(AggregationTemporality.CUMULATIVE, ExplicitBucketHistogramAggregation()),
        ConsoleMetricExporter(),
    ):
        assert exports_as_kept(exporter, {})
        assert exports_as_kept(exporter, {"OTEL_METRICS_EXEMPLAR_FILTER": "trace_based"})


@pytest.mark.parametrize(
    ("exporter", "variables"),
    [
        (wants(AggregationTemporality.DELTA), {}),
        (wants(aggregation=ExponentialBucketHistogramAggregation()), {}),
        (wants(aggregation=ExplicitBucketHistogramAggregation(boundaries=[1, 2])), {}),
        (wants(aggregation=ExplicitBucketHistogramAggregation(record_min_max=False)), {}),
        (wants(), {"OTEL_METRICS_EXEMPLAR_FILTER": "always_on"}),
        (InMemoryMetricReader(), {}),
    ],
)
def test_one_that_wants_anything_else_has_it_from_the_sdk(exporter, variables):
    assert not exports_as_kept(exporter, variables)


@pytest.mark.parametrize(("preference", "expected"), [("cumulative", [1, 2]), ("delta", [1, 1])])
def test_it_arrives_whichever_way_the_environment_asks_for(preference, expected, monkeypatch):
    with OtlpReceiver() as receiver:
        preferred = {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": preference}
        for name, value in (receiver.environment() | preferred).items():
            monkeypatch.setenv(name, value)
        configured = make_providers(exporters_asked_for(os.environ), "driver")
        for _ in expected:
            record(configured.meter_provider, values=[2.0])
            assert configured.meter_provider.force_flush()
        counts = [
            point.count
            for metric in receiver.metrics
            if metric.name == TOOK.name
            for point in metric.points
            if point.attributes["stageflow.attempt.outcome"] == "completed"
        ]
        assert counts == expected
        assert configured.shutdown(30)
