"""``RequestSpans``: a span for each request, which lasts as long as its answer, or its WebSocket.

FastAPI has such spans of its own since 0.163, and ``application.py`` turns them off. They have the
query string and the host, which a client may write anything into; three more spans come with each,
and what exceptions say goes to the logs. Theirs are below whatever span is current where the server
takes a request, which with pipelined requests is that of the one before. Older versions that will
do here have none.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stageflow_actors.model.trace import TraceContext
from stageflow_actors.providers.semconv import ERROR_TYPE
from stageflow_actors.serving.http_semconv import (
    HTTP_REQUEST_METHOD,
    HTTP_RESPONSE_STATUS,
    HTTP_ROUTE,
    METHODS,
    OTHER_METHOD,
    OTHER_NAME,
    URL_SCHEME,
)
from stageflow_actors.serving.request_trace import RequestTrace, put_trace, sender_of
from stageflow_actors.telemetry.exporting import Noticed

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer, TracerProvider

logger = logging.getLogger("stageflow_actors.serving")

_SCOPE = "stageflow_actors.serving"
_SWITCHING, _FORBIDDEN, _DEFECT = 101, 403, 500


class RequestSpans:
    """ASGI middleware. Does nothing until the process has set a tracer provider."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._noticed = Noticed()
        self._tracer: tuple[TracerProvider, Tracer] | None = None
        self._has_warned = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with a span around it."""
        provider = None if scope["type"] == "lifespan" else self._noticed.tracers
        if provider is None:
            await self._app(scope, receive, send)
            return
        answer = _Answer(scope, send)
        span: Span | None = None
        with self._kept_from_requests():
            span = self._begin(self._tracer_of(provider), scope, answer)
        if span is None:
            await self._app(scope, receive, send)
            return
        try:
            await self._in_span(span, scope, receive, answer.send)
        except Exception as error:
            answer.fail(error)
            raise
        finally:
            with self._kept_from_requests():
                answer.tell(span)
                span.end()

    def _tracer_of(self, provider: TracerProvider) -> Tracer:
        if self._tracer is None or self._tracer[0] is not provider:
            self._tracer = provider, provider.get_tracer(_SCOPE)
        return self._tracer[1]

    @contextmanager
    def _kept_from_requests(self) -> Iterator[None]:
        """What a provider, a sampler or a processor raises is one warning."""
        try:
            yield
        except Exception as error:
            if not self._has_warned:
                self._has_warned = True
                logger.warning("A request has no span: %r", error)

    async def _in_span(self, span: Span, scope: Scope, receive: Receive, send: Send) -> None:
        from opentelemetry.context import attach, detach
        from opentelemetry.trace import set_span_in_context

        token = attach(set_span_in_context(span))
        try:
            await self._app(scope, receive, send)
        finally:
            detach(token)

    def _begin(self, tracer: Tracer, scope: Scope, answer: _Answer) -> Span:
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind

        from stageflow_actors.telemetry.remote import as_context

        sender = sender_of(scope)
        span = tracer.start_span(
            answer.name,
            context=Context() if sender is None else as_context(sender),
            kind=SpanKind.SERVER,
            attributes={
                HTTP_REQUEST_METHOD: answer.method,
                URL_SCHEME: scope.get("scheme", "http"),
            },
        )
        put_trace(scope, RequestTrace(_context_of(span, sender), span))
        return span


class _Answer:
    """What a request came to. ``name`` is that of its span as long as its route is not known."""

    __slots__ = ("_error", "_scope", "_send", "_status", "method", "name", "root")

    def __init__(self, scope: Scope, send: Send) -> None:
        method = scope.get("method", "GET")
        self.method = method if method in METHODS else OTHER_METHOD
        self.name = method if method in METHODS else OTHER_NAME
        self.root = scope.get("root_path", "")
        self._scope = scope
        self._send = send
        self._status: int | None = None
        self._error: str | None = None

    async def send(self, message: Message) -> None:
        """Send on, and take note of the status."""
        if self._status is None:
            self._status = _status_in(message)
        await self._send(message)

    def fail(self, error: Exception) -> None:
        """It was broken off by ``error``; who has no answer yet is told that this is a defect.

        Its client may do so at any time, which is no error.
        """
        if isinstance(error, ClientDisconnect):
            return
        self._error = type(error).__qualname__
        if self._status is None:
            self._status = _DEFECT

    def tell(self, span: Span) -> None:
        """Set on ``span`` what is known now."""
        from opentelemetry.trace import StatusCode

        told: dict[str, Any] = {}
        path = getattr(self._scope.get("route"), "path_format", None)
        if path is not None:
            told[HTTP_ROUTE] = f"{self.root}{path}"
            span.update_name(f"{self.name} {self.root}{path}")
        error, status = self._error, self._status
        if status is not None:
            told[HTTP_RESPONSE_STATUS] = status
            if error is None and status >= _DEFECT:
                error = str(status)
        if error is not None:
            told[ERROR_TYPE] = error
            span.set_status(StatusCode.ERROR)
        span.set_attributes(told)


def _status_in(message: Message) -> int | None:
    match message["type"]:
        case "http.response.start" | "websocket.http.response.start":
            return int(message["status"])
        case "websocket.accept":
            return _SWITCHING
        case "websocket.close":  # before it was accepted
            return _FORBIDDEN
    return None


def _context_of(span: Span, sender: TraceContext | None) -> TraceContext | None:
    """What is to be below ``span``; what its sender has given to be passed on comes along."""
    own = span.get_span_context()
    if not own.is_valid:
        return sender
    from stageflow_actors.telemetry.remote import trace_of

    return trace_of(own)._replace(baggage="" if sender is None else sender.baggage)
