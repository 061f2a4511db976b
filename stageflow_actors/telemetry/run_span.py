"""``RunSpan``: a span of the SDK that is kept as little as possible until somebody reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from stageflow_actors.telemetry.attributes import AttributeValue


class Dropped(NamedTuple):
    """How many attributes and events there was no room for."""

    attributes: int
    events: int


class RunSpan(ReadableSpan):
    """Of a run, an attempt or a call. Ids are in hexadecimal, times nanoseconds since the epoch.

    Its attributes are ``shared``, which all attempts of a run have, and ``told``, of other names.
    ``dropped``: that there were more of them, or more events. ``linked_ids`` are spans of the same
    trace, ``error`` is why it failed; ``None``: it did not. What the SDK makes of all this, an
    exporter of ours does not need: it is made when it is read, under the names by which the SDK's
    class reads its parts.
    """

    def __init__(
        self,
        name: str,
        kind: SpanKind,
        trace_id: str,
        span_id: str,
        parent_id: str | None,
        started_ns: int,
        ended_ns: int,
        shared: Mapping[str, AttributeValue],
        told: Mapping[str, AttributeValue],
        dropped: Dropped | None,
        events: Sequence[Event],
        linked_ids: Sequence[str],
        error: str | None,
        resource: Resource,
        scope: InstrumentationScope,
    ) -> None:
        self._name = name
        self._kind = kind
        self.trace_id = trace_id
        self.span_id = span_id
        self.parent_id = parent_id
        self.started_ns = self._start_time = started_ns
        self.ended_ns = self._end_time = ended_ns
        self.shared = shared
        self.told = told
        self.dropped = dropped
        self._events = events
        self.linked_ids = linked_ids
        self.error = error
        self._resource = resource
        self._instrumentation_scope = scope
        self._instrumentation_info = None

    @property
    def attributes_seen(self) -> Mapping[str, AttributeValue] | None:
        """All of them, if a processor has read them: it may have changed them, too."""
        return vars(self).get("_attributes")

    @cached_property
    def _attributes(self) -> Mapping[str, AttributeValue]:  # type: ignore[override]
        return {**self.shared, **self.told}

    @property
    def dropped_attributes(self) -> int:
        return 0 if self.dropped is None else self.dropped.attributes

    @property
    def dropped_events(self) -> int:
        return 0 if self.dropped is None else self.dropped.events

    @property
    def _context(self) -> SpanContext:  # type: ignore[override]
        return self._context_of(self.span_id)

    @property
    def _parent(self) -> SpanContext | None:  # type: ignore[override]
        return None if self.parent_id is None else self._context_of(self.parent_id)

    @property
    def _links(self) -> Sequence[Link]:  # type: ignore[override]
        return tuple(Link(self._context_of(each)) for each in self.linked_ids)

    @property
    def _status(self) -> Status:  # type: ignore[override]
        return Status() if self.error is None else Status(StatusCode.ERROR, self.error)

    def _context_of(self, span_id: str) -> SpanContext:
        sampled = TraceFlags(TraceFlags.SAMPLED)
        return SpanContext(int(self.trace_id, 16), int(span_id, 16), False, sampled)
