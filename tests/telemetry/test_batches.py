"""The queue in front of an exporter: bounded, counted to the last span, and brief about outages."""

import logging
import threading
from collections.abc import Iterator

import pytest
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, get_value
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from stageflow_actors.telemetry.batch_processors import NoticedMetrics, SpanBatches
from stageflow_actors.telemetry.batches import BatchCounts, Batches, BatchLimits
from stageflow_actors.telemetry.configured import Configured
from stageflow_actors.telemetry.export_failures import ExportFailures
from tests.telemetry.otlp_receiver import GRPC, OtlpReceiver

LONG_S = 30.0
NEVER_S = 10 * LONG_S


class Gate:
    """An exporter that waits for ``opened``, and says when it is called."""

    def __init__(self):
        self.opened, self.called, self.closed = (threading.Event() for _ in range(3))
        self.seen = []

    def export(self, items):
        self.called.set()
        assert self.opened.wait(LONG_S)
        self.seen.append(items)
        return True

    def close(self):
        self.closed.set()


@pytest.fixture
def warnings_of(caplog):
    caplog.set_level(logging.WARNING)
    return lambda: [record.getMessage() for record in caplog.records]


@pytest.fixture
def batches():
    """Queues in front of the exporter functions given, closed after the test."""
    made = []

    def make(export, close=lambda: None, **limits):
        limits = BatchLimits(**{"delay_s": NEVER_S, **limits})
        made.append(Batches(export, close, ExportFailures("spans", export), limits))
        return made[-1]

    yield make
    for each in made:
        assert each.close(LONG_S)


@pytest.fixture
def receiver(monkeypatch) -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as started:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", started.endpoint)
        yield started


@pytest.fixture
def processor():
    """A span processor in front of an exporter, closed after the test, and a tracer for it."""
    made = []

    def make(exporter, **limits):
        processor = SpanBatches(
            exporter, BatchLimits(**{"delay_s": NEVER_S, **limits}), Resource.get_empty()
        )
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(processor)
        made.append(processor)
        return processor, provider.get_tracer("a test")

    yield make
    for each in made:
        assert each.batches.close(LONG_S)


def end_spans(tracer, count):
    for _ in range(count):
        tracer.start_span("work").end()


def adds_up(counts):
    return counts.submitted == counts.exported + counts.failed + counts.dropped + counts.waiting


def test_a_million_spans_for_an_exporter_that_hangs_keep_no_more_than_its_limits(
    batches, warnings_of
):
    gate = Gate()
    queue = batches(gate.export, max_queue_size=100, max_batch_size=40)
    for number in range(40):
        queue.offer(number)
    assert gate.called.wait(LONG_S)
    for number in range(40, 1_000_000):
        queue.offer(number)
    assert queue.counts == BatchCounts(submitted=1_000_000, dropped=999_860, waiting=140)
    (warning,) = warnings_of()
    assert warning.startswith("Spans come faster than they are exported")
    gate.opened.set()
    assert queue.flush(LONG_S)
    assert queue.counts == BatchCounts(submitted=1_000_000, exported=140, dropped=999_860)
    assert [len(items) for items in gate.seen] == [40, 40, 40, 20]
    assert [item for items in gate.seen for item in items] == list(range(140))  # the first stay
    assert len(warnings_of()) == 1


def test_a_full_batch_does_not_wait_for_the_delay(batches):
    gate = Gate()
    queue = batches(gate.export, max_batch_size=3)
    for number in range(3):
        queue.offer(number)
    assert gate.called.wait(LONG_S)
    gate.opened.set()


def test_what_is_flushed_does_not_wait_for_the_delay(batches):
    gate = Gate()
    queue = batches(gate.export)
    queue.offer(1)
    queue.offer(2)
    assert not queue.flush(0)
    assert gate.called.wait(LONG_S)
    gate.opened.set()
    assert queue.flush(LONG_S)
    assert gate.seen == [[1, 2]]


def test_the_delay_ends_the_wait_for_more(batches):
    seen = threading.Event()
    queue = batches(lambda items: seen.set() or True, delay_s=0.01)
    queue.offer(1)
    assert seen.wait(LONG_S)


def test_closing_exports_what_is_queued_and_drops_what_comes_later(batches):
    gate = Gate()
    gate.opened.set()
    queue = batches(gate.export, gate.close, max_batch_size=2)
    for number in range(5):
        queue.offer(number)
    assert queue.close(LONG_S)
    assert gate.closed.is_set()
    queue.offer(5)
    assert queue.counts == BatchCounts(submitted=6, exported=5, dropped=1)
    assert queue.flush(0)  # there is nothing left to wait for


def test_closing_does_not_wait_for_an_exporter_that_hangs(batches, warnings_of):
    gate = Gate()
    queue = batches(gate.export, gate.close, max_batch_size=2)
    for number in range(5):
        queue.offer(number)
    assert gate.called.wait(LONG_S)
    assert not queue.close(0)
    assert gate.closed.is_set()
    assert queue.counts == BatchCounts(submitted=5, dropped=3, waiting=2)
    (warning,) = warnings_of()
    assert warning.startswith("Spans could not all be exported before the end")
    gate.opened.set()
    assert queue.close(LONG_S)
    assert queue.counts == BatchCounts(submitted=5, exported=2, dropped=3)


def test_the_counts_add_up_whatever_many_threads_do(batches):
    turns = iter(range(10**9))
    queue = batches(
        lambda items: next(turns) % 3 > 0, max_queue_size=50, max_batch_size=7, delay_s=0.001
    )
    seen = []
    threads = [
        threading.Thread(target=lambda: [queue.offer(number) for number in range(2000)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        seen.append(queue.counts)
    queue.close(LONG_S)
    assert all(adds_up(counts) for counts in seen)
    last = queue.counts
    assert (last.submitted, last.waiting) == (8000, 0)
    assert adds_up(last)


def test_an_outage_is_one_warning_and_the_next_is_another(receiver, processor, warnings_of):
    spans, tracer = processor(OTLPSpanExporter(), max_batch_size=1)
    receiver.refuse(status=400)
    end_spans(tracer, 5)
    assert spans.force_flush()
    assert spans.counts == BatchCounts(submitted=5, failed=5)
    (warning,) = warnings_of()
    assert warning.startswith("Spans cannot be exported: Failed to export spans batch code: 400")
    assert "(OTLPSpanExporter)" in warning
    receiver.behave()
    end_spans(tracer, 2)
    assert spans.force_flush()
    receiver.refuse(status=400)
    end_spans(tracer, 3)
    assert spans.force_flush()
    assert spans.counts == BatchCounts(submitted=10, exported=2, failed=8)
    assert len(warnings_of()) == 2
    assert len(receiver.spans) == 2


def test_an_outage_over_grpc_is_one_warning_too(processor, warnings_of, monkeypatch):
    with OtlpReceiver(GRPC) as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
        spans, tracer = processor(GrpcSpans(), max_batch_size=1)
        for conduct in (lambda: receiver.refuse(status=400), receiver.behave) * 2:
            conduct()
            end_spans(tracer, 3)
            assert spans.force_flush()
        assert spans.counts == BatchCounts(submitted=12, exported=6, failed=6)
        assert len(warnings_of()) == 2
        for warning in warnings_of():
            assert warning.startswith(
                "Spans cannot be exported: Failed to export traces to 127.0.0"
            )


def test_a_call_over_grpc_that_hangs_is_given_up_when_its_exporter_is_closed(
    processor, monkeypatch
):
    with OtlpReceiver(GRPC) as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
        spans, tracer = processor(GrpcSpans(timeout=NEVER_S), max_batch_size=1)
        receiver.hang()
        end_spans(tracer, 1)
        receiver.wait_for(lambda seen: seen.asked)
        assert not spans.batches.close(0)
        assert spans.batches.close(LONG_S)
        assert spans.counts == BatchCounts(submitted=1, failed=1)


def test_the_outage_of_one_exporter_hides_nothing_of_another(receiver, processor, warnings_of):
    receiver.refuse(status=400)
    made = [processor(OTLPSpanExporter()) for _ in range(2)]
    for spans, tracer in made:
        end_spans(tracer, 1)
        assert spans.force_flush()
    assert len(warnings_of()) == 2
    stranger = OTLPSpanExporter()  # of the same class, and so with the same logger
    assert stranger.export([]) is SpanExportResult.FAILURE
    assert len(warnings_of()) == 3


def test_an_exporter_logs_for_itself_again_once_its_queue_is_closed(
    receiver, processor, warnings_of
):
    spans, _tracer = processor(OTLPSpanExporter())
    spans.shutdown()
    assert not logging.getLogger(OTLPSpanExporter.__module__).filters


def test_a_collector_that_hangs_holds_up_neither_spans_nor_the_end(receiver, processor):
    spans, tracer = processor(OTLPSpanExporter(), max_queue_size=4, max_batch_size=2)
    configured = Configured(span_batches={"otlp": spans.batches})
    receiver.hang()
    end_spans(tracer, 2)
    receiver.wait_for(lambda seen: seen.asked)
    end_spans(tracer, 10)
    assert configured.span_counts["otlp"] == BatchCounts(submitted=12, dropped=6, waiting=6)
    assert not configured.shutdown(0)
    assert configured.span_counts["otlp"] == BatchCounts(submitted=12, dropped=10, waiting=2)
    receiver.release()
    assert configured.shutdown(LONG_S)
    assert configured.span_counts["otlp"] == BatchCounts(submitted=12, exported=2, dropped=10)
    assert len(receiver.spans) == 2


def test_an_exporter_that_waits_to_try_again_gives_up_when_it_is_closed(receiver, processor):
    exporter = OTLPSpanExporter(timeout=NEVER_S)
    spans, tracer = processor(exporter, max_batch_size=1)
    receiver.refuse(retry_after_s=NEVER_S / 2)
    end_spans(tracer, 1)
    receiver.wait_for(lambda seen: seen.asked)
    assert not spans.batches.close(0)
    assert spans.batches.close(LONG_S)  # long before the exporter would have tried again
    assert spans.counts == BatchCounts(submitted=1, failed=1)


def test_an_exporter_that_raises_has_failed_and_gets_the_next_batch(batches, warnings_of):
    seen = []

    def export(items):
        seen.append(items)
        raise ValueError("no")

    queue = batches(export, max_batch_size=1)
    queue.offer(1)
    queue.offer(2)
    assert queue.flush(LONG_S)
    assert seen == [[1], [2]]
    assert queue.counts == BatchCounts(submitted=2, failed=2)
    (warning,) = warnings_of()
    assert warning.startswith("Spans cannot be exported: ValueError('no')")


def test_exports_are_not_traced_themselves(processor):
    suppressed = []

    class Asking(SpanExporter):
        def export(self, spans):
            suppressed.append(get_value(_SUPPRESS_INSTRUMENTATION_KEY))
            return SpanExportResult.SUCCESS

    spans, tracer = processor(Asking())
    end_spans(tracer, 1)
    assert spans.force_flush()
    assert suppressed == [True]


def test_metrics_that_cannot_be_exported_are_one_warning_and_come_later(receiver, warnings_of):
    reader = PeriodicExportingMetricReader(NoticedMetrics(OTLPMetricExporter()), 60_000)
    provider = MeterProvider([reader], shutdown_on_exit=False)
    provider.get_meter("a test").create_counter("runs").add(2)
    receiver.refuse(status=400)
    for _ in range(3):
        provider.force_flush()
    (warning,) = warnings_of()
    assert warning.startswith("Metrics cannot be exported: Failed to export metrics batch")
    receiver.behave()
    provider.force_flush()
    assert [metric.points[0].value for metric in receiver.metrics] == [2]
    provider.shutdown()
    assert len(warnings_of()) == 1
    assert not logging.getLogger(OTLPMetricExporter.__module__).filters
