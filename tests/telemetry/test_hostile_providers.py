"""Providers, samplers and processors that raise, traces that are none: no run fails for them."""

from __future__ import annotations

import logging
import os

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Sampler
from opentelemetry.trace import INVALID_SPAN_CONTEXT, NonRecordingSpan, NoOpTracerProvider

from stageflow_actors import InMemoryEventSink, LocalRuntime, Pipeline, PipelineContext
from stageflow_actors.actors.event_pump import EventPump
from stageflow_actors.model.events import Event, EventOrigin
from stageflow_actors.model.trace import TraceContext
from stageflow_actors.telemetry.log_context import StageLogFilter
from stageflow_actors.telemetry.sink import TelemetrySink
from stageflow_actors.telemetry.spans import SpanWriter
from tests.telemetry.spans_seen import SeenSpans


class RaisingSampler(Sampler):
    def should_sample(self, *_args, **_options):
        raise RuntimeError("no decision")

    def get_description(self):
        return "raises"


class RaisingProcessor(SpanProcessor):
    def __init__(self, error) -> None:
        self.error = error
        self.calls = 0

    def on_end(self, span):
        self.calls += 1
        raise self.error


class ForeignProvider(NoOpTracerProvider):
    """As somebody may have who does not use the SDK; its class is not the API's own."""


class RaisingProvider:
    def get_tracer(self, *_args, **_options):
        raise RuntimeError("no tracer")


async def run_twice(context=None):
    """What the stages found to be their trace, in each of two runs, and the runtime's warnings."""
    found = []

    async def look(ctx):
        found.append((ctx.trace, trace.get_current_span().get_span_context()))

    pipeline = Pipeline("p").with_stage("a", look, "work")
    runtime = LocalRuntime(event_sink=InMemoryEventSink())
    async with runtime, runtime.deploy(pipeline) as app:
        for _ in range(2):
            run = await (app.start() if context is None else app.start(context))
            assert (await run.result()).status == "ok"
        assert await runtime.flush_events()
    return found


def warnings_in(caplog):
    return [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]


async def test_a_sampler_that_raises_leaves_runs_out_with_one_warning(monkeypatch, caplog):
    seen = SeenSpans(monkeypatch, sampler=RaisingSampler())
    await run_twice()
    assert seen.all == []
    assert warnings_in(caplog) == ["Runs have no spans: their sampler raised."]


@pytest.mark.parametrize("error", [RuntimeError("full"), SystemExit(3)])
async def test_a_processor_that_raises_gets_the_spans_of_the_next_run(monkeypatch, caplog, error):
    processor = RaisingProcessor(error)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    await run_twice()
    assert processor.calls == 4  # two runs, with an attempt each
    assert len(warnings_in(caplog)) == 1


@pytest.mark.parametrize("kind", [ForeignProvider, RaisingProvider])
async def test_where_nobody_can_make_our_spans_none_is_below_them(monkeypatch, caplog, kind):
    provider = kind()
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    found = await run_twice()
    assert [context.is_valid for _trace, context in found] == [False, False]
    assert [context for context, _span in found] == [None, None]
    (warning,) = warnings_in(caplog)
    assert warning.startswith("Runs have no spans: ")


async def test_a_getter_that_raises_is_one_warning(monkeypatch, caplog):
    def get_tracer_provider():
        raise RuntimeError("OTEL_PYTHON_TRACER_PROVIDER names none")

    monkeypatch.setattr(trace, "get_tracer_provider", get_tracer_provider)
    await run_twice()
    (warning,) = warnings_in(caplog)
    assert "OTEL_PYTHON_TRACER_PROVIDER names none" in warning


@pytest.mark.parametrize(
    "odd", [TraceContext("zz", "yy"), TraceContext("", ""), TraceContext("f" * 99, "1"), "none"]
)
async def test_a_trace_that_is_none_goes_unheeded(monkeypatch, odd):
    seen = SeenSpans(monkeypatch)
    context = PipelineContext()
    context.trace = odd
    await run_twice(context)
    assert (len(seen.runs()), len(seen.attempts())) == (2, 2)
    assert seen.runs()[0].parent is None


class OddSpan(NonRecordingSpan):
    """Of somebody's own."""

    def get_span_context(self):
        raise RuntimeError("no context")


async def test_a_span_that_raises_fails_neither_a_run_below_it_nor_what_is_logged(monkeypatch):
    seen = SeenSpans(monkeypatch)
    filtered = []

    async def log(ctx):
        with trace.use_span(OddSpan(INVALID_SPAN_CONTEXT)):
            record = logging.LogRecord("x", 20, "", 0, "said", (), None)
            filtered.append((StageLogFilter().filter(record), record.span_id, ctx.trace.span_id))

    runtime = LocalRuntime(event_sink=InMemoryEventSink())
    async with runtime, runtime.deploy(Pipeline("p").with_stage("a", log, "work")) as app:
        with trace.use_span(OddSpan(INVALID_SPAN_CONTEXT)):
            run = await app.start()
        assert (await run.result()).status == "ok"
        await runtime.flush_events()
    ((_passed, told, expected),) = filtered
    assert told == expected
    assert seen.runs()[0].parent is None


def test_children_of_a_run_that_was_lost_are_lost_with_it():
    def labels(number):
        ids = {"span_id": f"{number:016x}", "parent_span_id": None, "trace_flags": "01"}
        return {"pipeline_run_id": f"r{number}", "topology": "p", "trace_id": "1" * 32, **ids}

    def told(type_, seq, stage=None, origin=None, **data):
        return Event(type_, seq, float(seq), stage, 1, data, origin)

    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    writer = SpanWriter(provider)
    sink = TelemetrySink(lambda: [writer], 10, lambda _story: None)
    spawned = {"child_run_id": "r2", "pipeline_name": "p"}
    events = [told("stage.a.started", 1, "a"), told("pipeline.spawned_child", 2, "a", **spawned)]
    events.append(told("stage.b.started", 1, "b", EventOrigin(labels(2), 1)))
    events.append(told("pipeline.failed", 3, status="failed"))
    sink.take_events(labels(1), events)
    names = [span.name for span in exporter.get_finished_spans()]
    runs = ["invoke_workflow p", "invoke_workflow p"]
    assert sorted(names) == [*runs, "stageflow.stage a", "stageflow.stage b"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_events_of_a_forked_process_are_delivered_too():
    class Told:
        async def emit(self, *, type, data):
            told.append(type)

        def try_emit(self, *, type, data): ...

    def submit(type_):
        pump.submit(dict, [Event(type_, 1, 1.0, None, None, {})])
        return pump.flush(10)

    told = []
    pump = EventPump(Told(), 10)
    assert submit("before")
    child = os.fork()
    if not child:
        os._exit(0 if submit("after") and told == ["before", "after"] else 1)
    assert os.waitpid(child, 0)[1] == 0
