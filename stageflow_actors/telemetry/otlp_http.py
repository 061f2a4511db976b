"""``HttpSpans``: the SDK's OTLP exporter over HTTP, for spans that are encoded already."""

from __future__ import annotations

import logging

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource

from stageflow_actors.telemetry.span_encoding import SpanEncoding

# That of the exporter, whose failures are one warning for each outage.
logger = logging.getLogger(OTLPSpanExporter.__module__)


class HttpSpans(OTLPSpanExporter):
    """Endpoint, headers, certificates, compression and retries are those of the SDK's."""

    def encoding_of(self, resource: Resource) -> SpanEncoding | None:
        """Makes what ``send`` sends. ``None``: the installed version of the SDK's has no part that
        sends bytes.
        """
        can_send = hasattr(getattr(self, "_client", None), "export")
        return SpanEncoding(resource) if can_send else None

    def send(self, request: bytes) -> bool:
        """An ``ExportTraceServiceRequest``, as bytes; whether it has arrived."""
        most = self._max_request_size
        if 0 < most < len(request):
            logger.warning("A request of %d bytes is more than the %d allowed", len(request), most)
            return False
        return self._client.export(request).success
