"""The names in spans of requests, in this one place.

They follow the HTTP conventions of OpenTelemetry, which are stable:
https://opentelemetry.io/docs/specs/semconv/http/http-spans/. What has no standard name is under
``stageflow``.
"""

from __future__ import annotations

HTTP_REQUEST_METHOD = "http.request.method"
HTTP_RESPONSE_STATUS = "http.response.status_code"
HTTP_ROUTE = "http.route"
URL_SCHEME = "url.scheme"
STAGEFLOW_RUN_ID = "stageflow.run.id"

METHODS = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"}
)
OTHER_METHOD = "_OTHER"
"""Stands for whatever else a client has thought of."""
OTHER_NAME = "HTTP"
"""What a span begins with then."""

EVENT_RUN = "stageflow.run"
"""A run on a WebSocket, which may have many."""
