"""What the SDK calls for each span and each log record: they go to a bounded queue."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from opentelemetry.context import (
    _SUPPRESS_INSTRUMENTATION_KEY,
    Context,
    attach,
    detach,
    set_value,
)
from opentelemetry.sdk._logs import LogRecordProcessor, ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from stageflow_actors.telemetry.batches import BatchCounts, Batches, BatchLimits
from stageflow_actors.telemetry.configured import SHUTDOWN_S
from stageflow_actors.telemetry.export_failures import ExportFailures
from stageflow_actors.telemetry.histogram_export import with_histograms
from stageflow_actors.telemetry.kept_histograms import KeptHistograms
from stageflow_actors.telemetry.run_span import RunSpan

if TYPE_CHECKING:
    from stageflow_actors.telemetry.span_encoding import SpanEncoding

T = TypeVar("T")


@runtime_checkable
class SendsRequests(Protocol):
    """An exporter of spans that are encoded already."""

    def encoding_of(self, resource: Resource) -> SpanEncoding | None:
        """For spans of ``resource``; ``None``: none but those of the SDK can be exported."""

    def send(self, request: bytes) -> bool:
        """What ``encoding_of`` has made; whether it has arrived."""


class SpanBatches(SpanProcessor):
    """Exports sampled spans in batches; like the SDK's own processor, but it counts and is bounded.

    The SDK's waits up to 30 s at its end, and says neither what it has dropped nor what was lost.
    For an exporter that sends requests as they are, spans of runs wait as they will stand there.
    """

    def __init__(self, exporter: SpanExporter, limits: BatchLimits, resource: Resource) -> None:
        self._encoding, export = _export_of(exporter, resource)
        failures = ExportFailures("spans", exporter)
        self.batches = Batches(export, exporter.shutdown, failures, limits)

    @property
    def counts(self) -> BatchCounts:
        return self.batches.counts

    def on_end(self, span: ReadableSpan) -> None:
        if isinstance(span, RunSpan):  # there is none of a run that is not sampled
            self.batches.offer(span if self._encoding is None else self._encoding.encode(span))
        elif span.context is not None and span.context.trace_flags.sampled:
            self.batches.offer(span)

    def shutdown(self) -> None:
        self.batches.close(SHUTDOWN_S)

    def force_flush(self, timeout_millis: int | None = 30_000) -> bool:
        return self.batches.flush(_seconds(timeout_millis))


class LogBatches(LogRecordProcessor):
    """Exports log records in batches, as ``SpanBatches`` does with spans."""

    def __init__(self, exporter: LogRecordExporter, limits: BatchLimits) -> None:
        def export(records: list[ReadableLogRecord]) -> bool:
            return _untraced(exporter.export, records) is LogRecordExportResult.SUCCESS

        failures = ExportFailures("log records", exporter)
        self.batches = Batches(export, exporter.shutdown, failures, limits)

    @property
    def counts(self) -> BatchCounts:
        return self.batches.counts

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        # Without its context, which may hold anything that the caller has put there.
        record = copy.copy(log_record.log_record)
        record.context = Context()
        self.batches.offer(
            ReadableLogRecord(
                log_record=record,
                resource=log_record.resource or Resource.get_empty(),
                instrumentation_scope=log_record.instrumentation_scope,
                limits=log_record.limits,
            )
        )

    def shutdown(self) -> None:
        self.batches.close(SHUTDOWN_S)

    def force_flush(self, timeout_millis: int | None = 30_000) -> bool:
        return self.batches.flush(_seconds(timeout_millis))


class NoticedMetrics(MetricExporter):
    """A metric exporter whose outages are one warning each.

    What it fails to export is not lost: the sums are in the next export, too. ``kept`` are
    histograms that it exports in the place of the SDK's.
    """

    def __init__(self, exporter: MetricExporter, kept: KeptHistograms | None = None) -> None:
        # What a reader asks an exporter for, by these names.
        super().__init__(exporter._preferred_temporality, exporter._preferred_aggregation)
        self._exporter = exporter
        self._kept = kept
        self._failures = ExportFailures("metrics", exporter)
        self._is_shut_down = False

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        if self._is_shut_down:
            return MetricExportResult.FAILURE

        def export(data: MetricsData) -> bool:
            if self._kept is not None:
                data = with_histograms(data, self._kept)
            result = self._exporter.export(data, timeout_millis=timeout_millis, **kwargs)
            return result is MetricExportResult.SUCCESS

        is_exported = self._failures.judge(export, metrics_data)
        if self._is_shut_down:  # meanwhile
            self._failures.close()
        return MetricExportResult.SUCCESS if is_exported else MetricExportResult.FAILURE

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return self._exporter.force_flush(timeout_millis=timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        self._is_shut_down = True
        is_idle = self._failures.note_end()
        self._exporter.shutdown(timeout_millis=timeout_millis, **kwargs)
        if is_idle:
            self._failures.close()


def _export_of(
    exporter: SpanExporter, resource: Resource
) -> tuple[SpanEncoding | None, Callable[[list[Any]], bool]]:
    """How spans wait for ``exporter``, and how it is given what has waited."""
    if isinstance(exporter, SendsRequests):
        send, encoding = exporter.send, exporter.encoding_of(resource)
        if encoding is not None:
            return encoding, lambda items: _untraced(send, encoding.request(items)) is True
    return None, lambda spans: _untraced(exporter.export, spans) is SpanExportResult.SUCCESS


def _untraced(export: Callable[[T], object], items: T) -> object:
    """An instrumented HTTP client would make a span of each export, which would be exported."""
    token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
    try:
        return export(items)
    finally:
        detach(token)


def _seconds(timeout_millis: int | None) -> float:
    return 30.0 if timeout_millis is None else timeout_millis / 1000
