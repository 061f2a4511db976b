"""``SpanEncoding``: spans of runs as OTLP has them, encoded as soon as they are over.

The SDK's encoder takes ten times as long for each span, as it makes a message of each attribute,
and until then each span is some ten objects that the garbage collector goes through. Here what
repeats is encoded once and remembered, and what waits to be exported is bytes.

Messages that are written one after the other are read as one. A field is its number and type, then
its value, before which stands its length, unless it is a number of a fixed size.
Source: https://protobuf.dev/programming-guides/encoding/, https://opentelemetry.io/docs/specs/otlp/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from struct import Struct
from types import MappingProxyType
from typing import Any

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope as PbScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource as PbResource
from opentelemetry.proto.trace.v1.trace_pb2 import (
    SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK,
    ResourceSpans,
    ScopeSpans,
    Span,
    Status,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import SpanKind

from stageflow_actors.telemetry.attributes import AttributeValue
from stageflow_actors.telemetry.instruments import SCOPE
from stageflow_actors.telemetry.run_span import RunSpan

_REMEMBERED = 4_096
"""Of each kind of what repeats."""
_MOST_CHARACTERS = 128
"""Of a value that is remembered: what is longer seldom repeats, and may be what somebody said."""
_LENGTH_FIRST, _EIGHT_BYTES, _FOUR_BYTES = 2, 1, 5
"""Types of fields."""
_OF_TRACE, _OF_SPAN = 16, 8
"""Bytes of an id."""
_FLAGS = SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK
"""As the SDK has it of a parent, and of what is linked, that it does not know to be remote."""
_TRACE_ID = bytes((Span.TRACE_ID_FIELD_NUMBER << 3 | _LENGTH_FIRST, _OF_TRACE))
_PARENT_ID = bytes((Span.PARENT_SPAN_ID_FIELD_NUMBER << 3 | _LENGTH_FIRST, _OF_SPAN))
_SPAN_ID = bytes((Span.SPAN_ID_FIELD_NUMBER << 3 | _LENGTH_FIRST, _OF_SPAN))
_STARTED = bytes((Span.START_TIME_UNIX_NANO_FIELD_NUMBER << 3 | _EIGHT_BYTES,))
_ENDED = bytes((Span.END_TIME_UNIX_NANO_FIELD_NUMBER << 3 | _EIGHT_BYTES,))
_LINK = Span.LINKS_FIELD_NUMBER << 3 | _LENGTH_FIRST
_LINK_FLAGS = bytes((Span.Link.FLAGS_FIELD_NUMBER << 3 | _FOUR_BYTES, *Struct("<I").pack(_FLAGS)))
_LINKED_TRACE_ID = bytes((Span.Link.TRACE_ID_FIELD_NUMBER << 3 | _LENGTH_FIRST, _OF_TRACE))
_LINKED_ID = bytes((Span.Link.SPAN_ID_FIELD_NUMBER << 3 | _LENGTH_FIRST, _OF_SPAN))
_whole, _double = Struct("<Q").pack, Struct("<d").pack
_KINDS = MappingProxyType(
    {SpanKind.INTERNAL: Span.SPAN_KIND_INTERNAL, SpanKind.CLIENT: Span.SPAN_KIND_CLIENT}
)

Encoded = bytes
"""A span, as it stands in a request."""


class SpanEncoding:
    """For one exporter of spans of ``resource``."""

    def __init__(self, resource: Resource) -> None:
        self._resource: bytes = ResourceSpans(
            resource=PbResource(attributes=_key_values(resource.attributes)),
            schema_url=resource.schema_url,
        ).SerializeToString()
        self._scope: bytes = ScopeSpans(scope=PbScope(name=SCOPE)).SerializeToString()
        remembered = lru_cache(_REMEMBERED, typed=True)
        self._named, self._attribute = remembered(_named), remembered(_attribute)
        self._latest = _Trace("")

    def encode(self, span: RunSpan) -> Encoded:
        """What ``request`` takes. ``span`` has all that it will ever have."""
        trace, told = self._latest, span.attributes_seen
        if trace.trace_id != span.trace_id:
            trace = self._latest = _Trace(span.trace_id)
        if told is None:
            shared, told = trace.encoded(span.shared), span.told
        else:
            shared = b""
        parts = [
            trace.id,
            shared,
            self._named(span.name, span.kind),
            _SPAN_ID + bytes.fromhex(span.span_id),
            _STARTED + _whole(span.started_ns),
            _ENDED + _whole(span.ended_ns),
        ]
        for name, value in told.items():
            if type(value) is float:  # seldom twice the same: the end of its field is the number
                parts += self._attribute(name, 1.0)[:-8], _double(value)
            elif type(value) is tuple or (type(value) is str and len(value) > _MOST_CHARACTERS):
                parts.append(_attribute(name, value))
            else:
                parts.append(self._attribute(name, value))
        if span.dropped is not None:
            attributes, events = span.dropped
            counts = Span(dropped_attributes_count=attributes, dropped_events_count=events)
            parts.append(_encoded(counts))
        if span.parent_id is not None:
            parts.append(_PARENT_ID + bytes.fromhex(span.parent_id))
        parts += [trace.link + bytes.fromhex(linked_id) for linked_id in span.linked_ids]
        if span.events or span.error is not None:
            parts.append(_happened(span))
        return _field(ScopeSpans.SPANS_FIELD_NUMBER, b"".join(parts))

    def request(self, items: Iterable[Encoded | ReadableSpan]) -> bytes:
        """An ``ExportTraceServiceRequest``: of what ``encode`` gave, and spans of anybody else."""
        encoded: list[Encoded] = []
        others: list[ReadableSpan] = []
        for item in items:
            encoded.append(item) if isinstance(item, bytes) else others.append(item)
        request: bytes = encode_spans(others).SerializePartialToString() if others else b""
        if encoded:
            scope = _field(ResourceSpans.SCOPE_SPANS_FIELD_NUMBER, self._scope + b"".join(encoded))
            number = ExportTraceServiceRequest.RESOURCE_SPANS_FIELD_NUMBER
            request += _field(number, self._resource + scope)
        return request


class _Trace:
    """What spans of one trace have in them, encoded; ``link`` lacks the id of a span at its end."""

    __slots__ = ("_encoded", "id", "link", "trace_id")

    def __init__(self, trace_id: str) -> None:
        self.trace_id = trace_id
        known = bytes.fromhex(trace_id)
        self.id = _TRACE_ID + known
        link = _LINK_FLAGS + _LINKED_TRACE_ID + known + _LINKED_ID
        self.link = bytes((_LINK, len(link) + _OF_SPAN)) + link
        self._encoded: tuple[Mapping[str, AttributeValue], bytes] = {}, b""

    def encoded(self, shared: Mapping[str, AttributeValue]) -> bytes:
        """Once for all spans of a run, which come one after the other, calls between them."""
        if not shared:
            return b""
        known, encoded = self._encoded
        if known is not shared:
            encoded = b"".join(_attribute(name, value) for name, value in shared.items())
            self._encoded = shared, encoded
        return encoded


def _field(number: int, value: bytes) -> bytes:
    """Its length is written in groups of seven bits, the last of which says that it is that."""
    length, head = len(value), bytearray((number << 3 | _LENGTH_FIRST,))
    while length > 0x7F:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    head.append(length)
    return bytes(head) + value


def _named(name: str, kind: SpanKind) -> bytes:
    """With what all spans have."""
    return _encoded(Span(name=name, kind=_KINDS[kind], flags=_FLAGS, status=Status()))


def _attribute(name: str, value: AttributeValue) -> bytes:
    if type(value) is not str:
        return _encoded(Span(attributes=[_key_value(name, value)]))
    text = _field(AnyValue.STRING_VALUE_FIELD_NUMBER, value.encode())
    key = _field(KeyValue.KEY_FIELD_NUMBER, name.encode())
    pair = key + _field(KeyValue.VALUE_FIELD_NUMBER, text)
    return _field(Span.ATTRIBUTES_FIELD_NUMBER, pair)


def _happened(span: RunSpan) -> bytes:
    events = [_event(each) for each in span.events]
    if span.error is None:
        return _encoded(Span(events=events))
    return _encoded(
        Span(events=events, status=Status(code=Status.STATUS_CODE_ERROR, message=span.error))
    )


def _event(event: Event) -> Span.Event:
    return Span.Event(
        name=event.name,
        time_unix_nano=event.timestamp,
        attributes=_key_values(event.attributes or {}),
    )


def _encoded(message: Span) -> bytes:
    encoded: bytes = message.SerializeToString()
    return encoded


def _key_values(attributes: Mapping[str, Any]) -> list[KeyValue]:
    return [_key_value(name, value) for name, value in attributes.items()]


def _key_value(name: str, value: AttributeValue) -> KeyValue:
    return KeyValue(key=name, value=_any_value(value))


def _any_value(value: AttributeValue) -> AnyValue:
    if isinstance(value, str):
        return AnyValue(string_value=value)
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    return AnyValue(array_value=ArrayValue(values=[_any_value(each) for each in value]))
