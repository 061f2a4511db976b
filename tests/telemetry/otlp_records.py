"""What an OTLP request holds, as plain frozen objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.trace.v1 import trace_pb2


@dataclass(frozen=True)
class SeenEvent:
    name: str
    time_ns: int
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class SeenLink:
    trace_id: str
    span_id: str
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class SeenSpan:
    """Ids are hex, and empty where there is none; ``kind`` and ``status`` are names: ``ERROR``."""

    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    kind: str
    start_ns: int
    end_ns: int
    attributes: Mapping[str, Any]
    events: tuple[SeenEvent, ...]
    links: tuple[SeenLink, ...]
    status: str
    status_message: str
    resource: Mapping[str, Any]
    scope: str
    trace_state: str


@dataclass(frozen=True)
class SeenPoint:
    """``value`` of a sum or gauge; of a histogram the sum, with ``count`` and ``bounds``."""

    attributes: Mapping[str, Any]
    value: float
    count: int = 1
    bounds: tuple[float, ...] = ()


@dataclass(frozen=True)
class SeenMetric:
    """``kind`` is ``sum``, ``gauge``, ``histogram`` or the like."""

    name: str
    unit: str
    kind: str
    points: tuple[SeenPoint, ...]
    resource: Mapping[str, Any]
    scope: str


@dataclass(frozen=True)
class SeenLog:
    body: Any
    severity: str
    event_name: str
    time_ns: int
    trace_id: str
    span_id: str
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]
    scope: str


def spans_in(request) -> list[SeenSpan]:
    return [
        _span(span, attributes_in(of_resource.resource), of_scope.scope.name)
        for of_resource in request.resource_spans
        for of_scope in of_resource.scope_spans
        for span in of_scope.spans
    ]


def metrics_in(request) -> list[SeenMetric]:
    return [
        _metric(metric, attributes_in(of_resource.resource), of_scope.scope.name)
        for of_resource in request.resource_metrics
        for of_scope in of_resource.scope_metrics
        for metric in of_scope.metrics
    ]


def logs_in(request) -> list[SeenLog]:
    return [
        _log(record, attributes_in(of_resource.resource), of_scope.scope.name)
        for of_resource in request.resource_logs
        for of_scope in of_resource.scope_logs
        for record in of_scope.log_records
    ]


def attributes_in(holder) -> dict[str, Any]:
    return {each.key: plain(each.value) for each in holder.attributes}


def plain(value) -> Any:
    """An ``AnyValue`` as the Python value it stands for."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    held = getattr(value, kind)
    if kind == "array_value":
        return [plain(each) for each in held.values]
    if kind == "kvlist_value":
        return {each.key: plain(each.value) for each in held.values}
    return held


def _span(span, resource, scope) -> SeenSpan:
    return SeenSpan(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_span_id=span.parent_span_id.hex(),
        name=span.name,
        kind=trace_pb2.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        attributes=attributes_in(span),
        events=tuple(
            SeenEvent(event.name, event.time_unix_nano, attributes_in(event))
            for event in span.events
        ),
        links=tuple(
            SeenLink(link.trace_id.hex(), link.span_id.hex(), attributes_in(link))
            for link in span.links
        ),
        status=trace_pb2.Status.StatusCode.Name(span.status.code).removeprefix("STATUS_CODE_"),
        status_message=span.status.message,
        resource=resource,
        scope=scope,
        trace_state=span.trace_state,
    )


def _metric(metric, resource, scope) -> SeenMetric:
    kind = metric.WhichOneof("data")
    points = tuple(_point(point) for point in getattr(metric, kind).data_points)
    return SeenMetric(metric.name, metric.unit, kind, points, resource, scope)


def _point(point) -> SeenPoint:
    attributes = attributes_in(point)
    if hasattr(point, "as_int"):
        return SeenPoint(attributes, getattr(point, point.WhichOneof("value")))
    bounds = tuple(getattr(point, "explicit_bounds", ()))
    return SeenPoint(attributes, point.sum, point.count, bounds)


def _log(record, resource, scope) -> SeenLog:
    severity = logs_pb2.SeverityNumber.Name(record.severity_number)
    return SeenLog(
        body=plain(record.body),
        severity=severity.removeprefix("SEVERITY_NUMBER_"),
        event_name=record.event_name,
        time_ns=record.time_unix_nano,
        trace_id=record.trace_id.hex(),
        span_id=record.span_id.hex(),
        attributes=attributes_in(record),
        resource=resource,
        scope=scope,
    )
