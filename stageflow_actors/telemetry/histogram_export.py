"""What is in ``KeptHistograms`` as data of the SDK, for exporters. Imports the SDK."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from opentelemetry.sdk.environment_variables import OTEL_METRICS_EXEMPLAR_FILTER
from opentelemetry.sdk.metrics import Histogram as HistogramInstrument
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExporter,
    MetricReader,
    MetricsData,
    ScopeMetrics,
)
from opentelemetry.sdk.metrics.view import DefaultAggregation, ExplicitBucketHistogramAggregation
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from stageflow_actors.telemetry.instruments import SCOPE
from stageflow_actors.telemetry.kept_histograms import (
    HistogramSeries,
    KeptHistogram,
    KeptHistograms,
)


class KeepingProvider(MeterProvider):
    """A provider all of whose ``readers`` export ``kept_histograms`` in place of its own."""

    def __init__(
        self, readers: Sequence[MetricReader], resource: Resource, kept: KeptHistograms
    ) -> None:
        super().__init__(readers, resource, shutdown_on_exit=False)
        self.kept_histograms = kept

    def add_metric_reader(self, metric_reader: MetricReader) -> None:
        self.kept_histograms.has_other_readers = True
        super().add_metric_reader(metric_reader)


def exports_as_kept(exporter: Any, variables: Mapping[str, str]) -> bool:
    """Whether the SDK would give ``exporter`` the same histograms as are kept: sums since the
    beginning, in the buckets of the instrument, and no single values with them.
    """
    if not isinstance(exporter, MetricExporter):
        return False
    if variables.get(OTEL_METRICS_EXEMPLAR_FILTER, "").strip().lower() == "always_on":
        return False
    # What a reader asks an exporter for, by these names.
    temporality = (exporter._preferred_temporality or {}).get(HistogramInstrument)
    aggregation = (exporter._preferred_aggregation or {}).get(HistogramInstrument)
    is_plain = type(aggregation) is ExplicitBucketHistogramAggregation and vars(
        aggregation
    ) == vars(ExplicitBucketHistogramAggregation())
    return temporality in (None, AggregationTemporality.CUMULATIVE) and (
        is_plain or aggregation is None or type(aggregation) is DefaultAggregation
    )


def with_histograms(data: MetricsData, kept: KeptHistograms) -> MetricsData:
    """``data``, which the SDK has collected, with what is kept in the place of its own."""
    metrics = list(_metrics(kept))
    if not metrics or not data.resource_metrics:
        return data
    first, *others = data.resource_metrics
    names = {metric.name for metric in metrics}
    scopes = []
    for scope in first.scope_metrics:
        if scope.scope.name == SCOPE:
            metrics = [*(each for each in scope.metrics if each.name not in names), *metrics]
        else:
            scopes.append(scope)
    scopes.append(ScopeMetrics(InstrumentationScope(SCOPE), metrics, schema_url=""))
    return MetricsData([replace(first, scope_metrics=scopes), *others])


def _metrics(kept: KeptHistograms) -> Iterator[Metric]:
    now_ns = time.time_ns()
    for each in kept.all():
        points = [_point(each, series, now_ns) for series in each.all_series()]
        if points:
            told = each.instrument
            yield Metric(
                told.name,
                told.description,
                told.unit,
                Histogram(points, AggregationTemporality.CUMULATIVE),
            )


def _point(histogram: KeptHistogram, series: HistogramSeries, now_ns: int) -> HistogramDataPoint:
    return HistogramDataPoint(
        attributes=series.attributes,
        start_time_unix_nano=series.began_at_ns,
        time_unix_nano=now_ns,
        count=sum(series.counts),
        sum=series.total,
        bucket_counts=series.counts,
        explicit_bounds=histogram.instrument.boundaries,
        min=series.least,
        max=series.most,
    )
