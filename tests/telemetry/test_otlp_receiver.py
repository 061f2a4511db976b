"""The receiver sees what the SDK's own exporters send, over both protocols."""

import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

from tests.telemetry.otlp_receiver import GRPC, HTTP, OtlpReceiver

EXPORTERS = {HTTP: (HttpSpans, HttpMetrics, HttpLogs), GRPC: (GrpcSpans, GrpcMetrics, GrpcLogs)}
RESOURCE = Resource({"service.name": "a test", "ports": [1, 2]})


@pytest.fixture
def exporters(receiver):
    made = [kind() for kind in EXPORTERS[receiver.protocol]]
    yield made
    for exporter in made:
        exporter.shutdown()


def ended_spans():
    """A root and a child with all that a span may have, as the SDK hands them to an exporter."""
    ended = []
    provider = TracerProvider(resource=RESOURCE, shutdown_on_exit=False)

    class Kept:
        def export(self, spans):
            ended.extend(spans)
            return SpanExportResult.SUCCESS

        def shutdown(self):
            pass

    provider.add_span_processor(SimpleSpanProcessor(Kept()))
    tracer = provider.get_tracer("a scope")
    with tracer.start_as_current_span("root", kind=SpanKind.SERVER) as root:
        link = Link(root.get_span_context(), {"why": "it came first"})
        child = tracer.start_span(
            "child", links=[link], start_time=5, attributes={"n": 3, "f": 0.5}
        )
        child.add_event("heard", {"words": ["a", "b"]}, timestamp=6)
        child.set_status(Status(StatusCode.ERROR, "it broke"))
        child.end(end_time=9)
    return ended


def test_a_span_arrives_whole(receiver, exporters):
    child, root = ended_spans()
    assert exporters[0].export([child, root]) is SpanExportResult.SUCCESS
    seen_child, seen_root = receiver.spans
    assert (seen_root.name, seen_root.kind, seen_root.parent_span_id) == ("root", "SERVER", "")
    assert seen_root.status == "UNSET"
    assert seen_child.trace_id == seen_root.trace_id == f"{root.context.trace_id:032x}"
    assert seen_child.parent_span_id == seen_root.span_id == f"{root.context.span_id:016x}"
    assert (seen_child.start_ns, seen_child.end_ns) == (5, 9)
    assert seen_child.attributes == {"n": 3, "f": 0.5}
    (event,) = seen_child.events
    assert (event.name, event.time_ns, event.attributes) == ("heard", 6, {"words": ["a", "b"]})
    (link,) = seen_child.links
    assert (link.span_id, link.attributes) == (seen_root.span_id, {"why": "it came first"})
    assert (seen_child.status, seen_child.status_message) == ("ERROR", "it broke")
    assert seen_child.resource == {"service.name": "a test", "ports": [1, 2]}
    assert seen_child.scope == "a scope"


def test_metrics_arrive_with_their_points(receiver, exporters):
    reader = PeriodicExportingMetricReader(exporters[1], export_interval_millis=60_000)
    provider = MeterProvider([reader], RESOURCE, shutdown_on_exit=False)
    meter = provider.get_meter("a scope")
    meter.create_counter("runs", unit="{run}").add(3, {"end": "ok"})
    meter.create_histogram("wait", explicit_bucket_boundaries_advisory=[1, 10]).record(2.5)
    provider.force_flush()
    runs, wait = receiver.metrics
    assert (runs.name, runs.unit, runs.kind, runs.scope) == ("runs", "{run}", "sum", "a scope")
    assert [(point.attributes, point.value) for point in runs.points] == [({"end": "ok"}, 3)]
    (point,) = wait.points
    assert (wait.kind, point.value, point.count, point.bounds) == ("histogram", 2.5, 1, (1, 10))
    provider.shutdown()


def test_a_log_record_arrives(receiver, exporters):
    provider = LoggerProvider(RESOURCE, shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporters[2]))
    record = LogRecord(
        timestamp=7, severity_number=SeverityNumber.WARN, body={"said": "so"}, event_name="said"
    )
    provider.get_logger("a scope").emit(record)
    (log,) = receiver.logs
    assert (log.time_ns, log.severity, log.body) == (7, "WARN", {"said": "so"})
    assert (log.event_name, log.scope) == ("said", "a scope")


@pytest.mark.parametrize("compression", ["gzip", "deflate"])
def test_compressed_requests_are_read(compression, monkeypatch):
    with OtlpReceiver() as receiver:
        for name, value in receiver.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", compression)
        exporter = HttpSpans()
        assert exporter.export(ended_spans()) is SpanExportResult.SUCCESS
        assert [asked.encoding for asked in receiver.asked] == [compression]
        assert [span.name for span in receiver.spans] == ["child", "root"]
        exporter.shutdown()


def test_what_is_refused_is_not_kept(receiver, exporters):
    receiver.refuse(status=400)
    assert exporters[0].export(ended_spans()) is SpanExportResult.FAILURE
    assert receiver.spans == []
    receiver.behave()
    assert exporters[0].export(ended_spans()) is SpanExportResult.SUCCESS
    assert len(receiver.spans) == 2
    assert len(receiver.asked) == 2


def test_who_is_told_when_to_come_again_does(monkeypatch):
    with OtlpReceiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
        receiver.refuse(retry_after_s=0)
        exporter = HttpSpans()
        assert exporter.export(ended_spans()) is SpanExportResult.FAILURE
        assert len(receiver.asked) == 6  # as often as the SDK tries
        exporter.shutdown()


def test_a_connection_that_is_closed_is_tried_again_by_the_exporter(monkeypatch):
    with OtlpReceiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.5")  # too short for a further try
        receiver.hang_up()
        exporter = HttpSpans()
        assert exporter.export(ended_spans()) is SpanExportResult.FAILURE
        assert len(receiver.asked) == 2  # the second, at once, on a fresh connection
        exporter.shutdown()


def test_waiting_says_what_came_instead():
    with OtlpReceiver() as receiver, pytest.raises(AssertionError, match="0 requests, spans"):
        receiver.wait_for(lambda seen: seen.spans, timeout=0)
