"""What is encoded here is what the SDK would have sent, to the last field."""

import sys
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, TracerProvider
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanKind

from stageflow_actors.telemetry.attributes import attributes_of, text_of
from stageflow_actors.telemetry.batch_processors import SpanBatches
from stageflow_actors.telemetry.batches import BatchLimits
from stageflow_actors.telemetry.instruments import SCOPE
from stageflow_actors.telemetry.otlp_grpc import GrpcSpans
from stageflow_actors.telemetry.otlp_http import HttpSpans
from stageflow_actors.telemetry.run_span import Dropped, RunSpan
from stageflow_actors.telemetry.span_encoding import SpanEncoding
from tests.telemetry.otlp_receiver import GRPC, HTTP

LONG_S = 30.0
RESOURCE = Resource({"service.name": "a test", "ports": (1, 2), "is_new": True})
LIMITS = BatchLimits(delay_s=10 * LONG_S)
EXPORTERS = {HTTP: HttpSpans, GRPC: GrpcSpans}

ids = st.binary(min_size=8, max_size=8).map(bytes.hex)
counts = st.integers(min_value=0, max_value=2**32 - 1)
times = st.integers(min_value=0, max_value=9 * 10**18)
anything = st.one_of(
    st.text(max_size=200),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.lists(st.text(max_size=20), max_size=5),
)
attributes = st.dictionaries(st.text(max_size=200), anything, max_size=6).map(attributes_of)
events = st.lists(
    st.builds(Event, st.text(max_size=20).map(text_of), attributes, times), max_size=3
)
spans = st.builds(
    RunSpan,
    name=st.text(max_size=300).map(text_of),
    kind=st.sampled_from([SpanKind.INTERNAL, SpanKind.CLIENT]),
    trace_id=st.binary(min_size=16, max_size=16).map(bytes.hex),
    span_id=ids,
    parent_id=st.none() | ids,
    started_ns=times,
    ended_ns=times,
    shared=attributes.map(lambda each: {f"run.{name}": value for name, value in each.items()}),
    told=attributes.map(lambda each: {f"own.{name}": value for name, value in each.items()}),
    dropped=st.none() | st.builds(Dropped, counts, counts),
    events=events,
    linked_ids=st.lists(ids, max_size=3),
    error=st.none() | st.text(max_size=50).map(text_of),
    resource=st.just(RESOURCE),
    scope=st.just(InstrumentationScope(SCOPE)),
)


def a_span(name="stageflow.stage a", **parts):
    parts = {
        "kind": SpanKind.INTERNAL,
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "span_id": "b7ad6b7169203331",
        "parent_id": None,
        "started_ns": 1,
        "ended_ns": 2,
        "shared": {},
        "told": {},
        "dropped": None,
        "events": (),
        "linked_ids": (),
        "error": None,
        "resource": RESOURCE,
        "scope": InstrumentationScope(SCOPE),
    } | parts
    return RunSpan(name, **parts)


def sdk_span(name):
    ended = []
    provider = TracerProvider(resource=RESOURCE, shutdown_on_exit=False)
    span = provider.get_tracer("somebody else's").start_span(name)
    span.end()
    ended.append(span)
    return ended[0]


@given(st.lists(spans, min_size=1, max_size=4))
def test_a_request_is_what_the_sdk_would_make_of_the_spans(made):
    encoding = SpanEncoding(RESOURCE)
    request = encoding.request([encoding.encode(span) for span in made])
    assert ExportTraceServiceRequest.FromString(request) == encode_spans(made)


def test_what_was_encoded_before_changes_nothing_of_what_comes_after():
    encoding = SpanEncoding(RESOURCE)
    for value in (1, True, 1.0, "1", 0, False, 0.0):  # equal, but not the same
        span = a_span(told={"x": value})
        request = encoding.request([encoding.encode(span)])
        assert ExportTraceServiceRequest.FromString(request) == encode_spans([span])


def test_runs_whose_spans_come_by_turns_are_kept_apart():
    encoding = SpanEncoding(RESOURCE)
    shared = [{"stageflow.run.id": name} for name in "ab"]
    traces = [f"{number:032x}" for number in (1, 2)]
    linked = ["b7ad6b7169203332"]
    turns = [*product(shared, traces), *((each, trace) for trace, each in product(traces, shared))]
    made = [a_span(trace_id=trace, shared=each, linked_ids=linked) for each, trace in turns]
    request = encoding.request([encoding.encode(span) for span in made])
    assert ExportTraceServiceRequest.FromString(request) == encode_spans(made)


def test_what_a_processor_has_changed_is_what_is_sent():
    encoding = SpanEncoding(RESOURCE)
    span = a_span(shared={"stageflow.run.id": "a"}, told={"said": "a secret"})
    span._attributes["said"] = "[REDACTED]"
    request = encoding.request([encoding.encode(span)])
    assert ExportTraceServiceRequest.FromString(request) == encode_spans([span])
    assert b"secret" not in request


@pytest.mark.parametrize("told", [lambda text: text, lambda text: (text, "more")])
def test_what_was_said_is_not_kept_once_it_is_encoded(told):
    encoding, text = SpanEncoding(RESOURCE), "said " * 100
    before = sys.getrefcount(text)
    encoding.encode(a_span(told={"said": told(text)}))
    assert sys.getrefcount(text) == before


def test_spans_of_others_are_in_the_same_request():
    encoding = SpanEncoding(RESOURCE)
    request = encoding.request([encoding.encode(a_span("ours")), sdk_span("theirs")])
    told = ExportTraceServiceRequest.FromString(request)
    names = {
        scope.scope.name: [span.name for span in scope.spans]
        for each in told.resource_spans
        for scope in each.scope_spans
    }
    assert names == {SCOPE: ["ours"], "somebody else's": ["theirs"]}


@pytest.fixture
def batches(receiver):
    """In front of the exporter of a protocol, closed after the test."""
    made = []

    def make(**options):
        made.append(SpanBatches(EXPORTERS[receiver.protocol](**options), LIMITS, RESOURCE))
        return made[-1]

    yield make
    for each in made:
        each.batches.close(LONG_S)


def test_they_arrive_and_the_encoder_of_the_sdk_sees_none_of_them(receiver, batches, monkeypatch):
    seen = []

    def note(made):
        seen.extend(span.name for span in made)
        return encode_spans(made)

    monkeypatch.setattr("stageflow_actors.telemetry.span_encoding.encode_spans", note)
    for package in ("http", "grpc"):
        place = f"opentelemetry.exporter.otlp.proto.{package}.trace_exporter.encode_spans"
        monkeypatch.setattr(place, note)
    processor = batches()
    processor.on_end(a_span("ours"))
    processor.on_end(sdk_span("theirs"))
    assert processor.force_flush()
    assert {span.name for span in receiver.spans} == {"ours", "theirs"}
    assert processor.counts.exported == 2
    assert seen == ["theirs"]


def test_an_exporter_without_the_parts_that_this_needs_gets_spans_of_the_sdk(
    receiver, batches, monkeypatch
):
    monkeypatch.setattr(EXPORTERS[receiver.protocol], "encoding_of", lambda _self, _resource: None)
    processor = batches()
    parent_id, linked_id = "00f067aa0ba902b7", "00f067aa0ba902b8"
    processor.on_end(a_span("ours", parent_id=parent_id, linked_ids=[linked_id], error="It fell."))
    assert processor.force_flush()
    (span,) = receiver.spans
    assert (span.name, span.parent_span_id, span.status) == ("ours", parent_id, "ERROR")
    assert [link.span_id for link in span.links] == [linked_id]
    assert span.status_message == "It fell."


@pytest.mark.parametrize("receiver", [HTTP], indirect=True)  # there is no such limit over gRPC
def test_a_request_beyond_what_the_exporter_may_send_has_failed(receiver, batches, caplog):
    processor = batches(max_request_size=100)
    processor.on_end(a_span("x" * 100))
    processor.force_flush()
    assert processor.counts.failed == 1
    assert "more than the 100 allowed" in caplog.text
    assert not receiver.spans
