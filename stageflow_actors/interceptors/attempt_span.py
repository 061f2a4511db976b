"""``AttemptSpan``: the current span while an attempt of a stage lasts, in the stage's process.

Whoever holds the run makes the real span, so that there is one even if this process dies. This one
has its id, so that spans of the stage's own are below it, and keeps what the stage sets on it.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from opentelemetry.context import attach
from opentelemetry.trace import Span, SpanContext, set_span_in_context
from opentelemetry.trace.status import Status, StatusCode

from stageflow_actors.errors import describe_exception, plain_text
from stageflow_actors.model.trace import TraceContext
from stageflow_actors.telemetry.remote import span_context

_MOST = 128
"""Attributes, and events, of one span; further ones are dropped, as the SDK does."""
_LATEST_NS = 2**63 - 1
_NONE: Mapping[str, Any] = MappingProxyType({})
_PLAIN = frozenset({str, bool, int, float})


def make_current(trace: TraceContext) -> AttemptSpan:
    """The span of that attempt, which is current from now on in the context of the caller."""
    span = AttemptSpan(trace)
    attach(set_span_in_context(span))
    return span


class AttemptSpan(Span):
    """Keeps at most 128 attributes and as many events; of further ones it has the number.

    Whatever it is given raises nothing in the stage; what is no attribute is kept as text.
    """

    def __init__(self, trace: TraceContext) -> None:
        self._trace = trace
        self._context: SpanContext | None = None
        self._is_over = False
        self._told: dict[str, Any] = {}

    @property
    def told(self) -> Mapping[str, Any]:
        """What the stage has set, where it has: ``attributes``, ``events``, ``error``, and how many
        were ``dropped_attributes`` and ``dropped_events``.
        """
        return {name: value for name, value in self._told.items() if value} if self._told else _NONE

    def finish(self) -> Mapping[str, Any]:
        """Take nothing more: the attempt is over. What the stage has set."""
        self._is_over = True
        return self.told

    def end(self, end_time: int | None = None) -> None:
        """The runtime ends it, with the attempt."""

    def get_span_context(self) -> SpanContext:
        if self._context is None:
            self._context = span_context(self._trace)
        return self._context

    def is_recording(self) -> bool:
        return self._trace.is_sampled and not self._is_over

    def set_attribute(self, key: str, value: Any) -> None:
        if self.is_recording():
            self._set(key, value)

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        if self.is_recording() and isinstance(attributes, Mapping):
            for key, value in attributes.items():
                self._set(key, value)

    def _set(self, key: Any, value: Any) -> None:
        if not _put(self._told.setdefault("attributes", {}), key, value):
            self._drop("dropped_attributes")

    def _drop(self, what: str) -> None:
        self._told[what] = self._told.get(what, 0) + 1

    def add_event(
        self,
        name: str,
        attributes: Mapping[str, Any] | None = None,
        timestamp: int | None = None,
    ) -> None:
        if not self.is_recording():
            return
        if len(self._told.setdefault("events", [])) >= _MOST:
            self._drop("dropped_events")
        else:
            is_time = type(timestamp) is int and 0 <= timestamp <= _LATEST_NS
            at = timestamp / 1e9 if timestamp is not None and is_time else time.time()
            told = {"name": _text(name), "at": at, "attributes": _attributes(attributes)}
            self._told["events"].append(told)

    def update_name(self, name: str) -> None:
        """The name of a stage's span is the stage's."""

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        code = status.status_code if isinstance(status, Status) else status
        said = status.description if isinstance(status, Status) else description
        if self.is_recording() and code is StatusCode.ERROR:
            self._told["error"] = _text(said or "error")

    def record_exception(
        self,
        exception: BaseException,
        attributes: Mapping[str, Any] | None = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        if not self.is_recording():
            return
        try:
            lines = traceback.format_exception(exception)
        except Exception:  # of what is no exception, or cannot be looked at
            lines = []
        described = {
            "exception.type": type(exception).__qualname__,
            "exception.message": describe_exception(exception),
            "exception.stacktrace": "".join(lines),
        }
        self.add_event("exception", {**described, **_attributes(attributes)}, timestamp)


def _attributes(given: Any) -> dict[str, Any]:
    """Those of ``given`` that there is room for."""
    made: dict[str, Any] = {}
    if isinstance(given, Mapping):
        for key, value in given.items():
            _put(made, key, value)
    return made


def _put(attributes: dict[str, Any], key: Any, value: Any) -> bool:
    """Whether there was room, where there is a value."""
    name = _text(key)
    has_room = value is None or name in attributes or len(attributes) < _MOST
    if has_room and value is not None:
        attributes[name] = _plain(value)
    return has_room


def _plain(value: Any) -> Any:
    """As plain data; not cut, as half a secret could not be told from other text."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, (list, tuple)):
        return tuple(each if type(each) in _PLAIN else _text(each) for each in value[:_MOST])
    return _text(value)


def _text(value: Any) -> str:
    try:
        return plain_text(value)
    except Exception:
        return f"<{type(value).__name__}>"
