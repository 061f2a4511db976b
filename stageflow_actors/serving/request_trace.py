"""``RequestTrace``: where a request is in a trace. Needs nothing of OpenTelemetry."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from stageflow_actors.model.trace import TraceContext
from stageflow_actors.serving.http_semconv import EVENT_RUN, STAGEFLOW_RUN_ID

if TYPE_CHECKING:
    from opentelemetry.trace import Span

_PLACE = "stageflow.trace"
"""In the ASGI scope of a request."""
_HEADERS = frozenset({b"traceparent", b"tracestate", b"baggage"})
_PART = r"[a-z0-9_\-*/]"
_MEMBER = (
    rf"(?:[a-z]{_PART}{{0,255}}|[a-z0-9]{_PART}{{0,240}}@[a-z]{_PART}{{0,13}})"
    r"=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)
_MOST_MEMBERS = 32


class RequestTrace:
    """``context`` is what the runs of a request are to be below: its span, or, in a process that
    exports nothing, that of its client. ``span`` is its own, if it has one.
    """

    __slots__ = ("context", "span")

    def __init__(self, context: TraceContext | None, span: Span | None = None) -> None:
        self.context = context
        self.span = span

    @property
    def trace_id(self) -> str | None:
        """For whoever looks for it where this process exports to."""
        return None if self.span is None or self.context is None else self.context.trace_id

    def note_one_of_many(self, run_id: UUID | str) -> None:
        """Tell in the span of a WebSocket which runs are on it."""
        if self.span is not None:
            self.span.add_event(EVENT_RUN, {STAGEFLOW_RUN_ID: str(run_id).lower()})


def trace_of(scope: MutableMapping[str, Any]) -> RequestTrace:
    """That of the request with this ASGI scope."""
    found: RequestTrace | None = scope.get(_PLACE)
    return RequestTrace(sender_of(scope)) if found is None else found


def note_run(scope: MutableMapping[str, Any], run_id: UUID | str) -> None:
    """Tell in the span of the request, if it has one, which run it is about."""
    found: RequestTrace | None = scope.get(_PLACE)
    if found is not None and found.span is not None:
        found.span.set_attribute(STAGEFLOW_RUN_ID, str(run_id).lower())


def trace_id_of(scope: MutableMapping[str, Any] | None) -> str | None:
    """What documents show of it; ``None``: nothing, as there is no span."""
    found: RequestTrace | None = None if scope is None else scope.get(_PLACE)
    return None if found is None else found.trace_id


def put_trace(scope: MutableMapping[str, Any], trace: RequestTrace) -> None:
    """From now on ``trace`` is that of the request."""
    scope[_PLACE] = trace


def sender_of(scope: MutableMapping[str, Any]) -> TraceContext | None:
    """The span that the client was in, by its headers; what is wrong with them is ignored.

    Anybody may send them: so nothing of them is logged, and they allow nothing.
    """
    told: dict[str, str] = {}
    for name, value in scope["headers"]:
        if name not in _HEADERS:
            continue
        key, text = name.decode("ascii"), value.decode("latin-1")
        if key not in told:
            told[key] = text
        elif key == "traceparent":
            return None  # whose of the two it is nobody can tell
        else:
            told[key] = f"{told[key]},{text}"
    if "traceparent" not in told:
        return None
    sender = TraceContext.from_headers(told)
    if sender is not None and not _is_state(sender.state):
        return sender._replace(state="")
    return sender


def _is_state(header: str) -> bool:
    """Whether all of ``tracestate`` is as it should be: else none of it counts."""
    if not header:
        return True
    members = [each.strip(" \t") for each in header.split(",")]
    given = [each for each in members if each]
    keys = {each.partition("=")[0] for each in given}
    is_fit = len(keys) == len(given) <= _MOST_MEMBERS
    return is_fit and all(re.fullmatch(_MEMBER, each) for each in given)
