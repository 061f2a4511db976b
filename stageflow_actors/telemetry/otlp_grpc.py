"""``GrpcSpans``: the SDK's OTLP exporter over gRPC, for spans that are encoded already."""

from __future__ import annotations

from typing import Any

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SpanExportResult

from stageflow_actors.telemetry.span_encoding import SpanEncoding


class GrpcSpans(OTLPSpanExporter):
    """Endpoint, metadata, certificates, compression and retries are those of the SDK's."""

    def encoding_of(self, resource: Resource) -> SpanEncoding | None:
        """Makes what ``send`` sends. ``None``: the installed version of the SDK's has no part that
        sends a request.
        """
        can_send = all(hasattr(OTLPSpanExporter, each) for each in ("_export", "_translate_data"))
        return SpanEncoding(resource) if can_send else None

    def send(self, request: bytes) -> bool:
        """An ``ExportTraceServiceRequest``, as bytes; whether it has arrived."""
        message: Any = ExportTraceServiceRequest.FromString(request)
        return self._export(message) is SpanExportResult.SUCCESS

    def _translate_data(self, data: Any) -> ExportTraceServiceRequest:
        is_done = isinstance(data, ExportTraceServiceRequest)
        return data if is_done else super()._translate_data(data)

    def _count_data(self, data: Any) -> int:
        if isinstance(data, ExportTraceServiceRequest):
            return sum(
                len(scope.spans) for each in data.resource_spans for scope in each.scope_spans
            )
        return len(data)
