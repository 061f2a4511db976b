"""Log records and spans of attempts: what is in them, and that unused they are idle."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import pickle
import subprocess
import sys

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider

from stageflow_actors import LocalRuntime, NoOpEventSink, Pipeline, StageOutput
from stageflow_actors.interceptors import (
    ChildTrackerMetricsInterceptor,
    ErrorDecision,
    InterceptorChain,
    LoggingInterceptor,
    MetricsInterceptor,
    TracingInterceptor,
)
from stageflow_actors.model.trace import new_trace
from tests.interceptors.attempts import Noting, raises, returns, run, stage_context
from tests.telemetry.spans_seen import SeenSpans

LOGGER = "stageflow_actors.stages"
MEASURES = [MetricsInterceptor, ChildTrackerMetricsInterceptor]


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no text")


@pytest.fixture
def seen(monkeypatch):
    """The spans of this test alone."""
    seen = SeenSpans(monkeypatch)
    yield seen
    seen.provider.shutdown()


async def traced(body, *more, times=1, **parts):
    """How runs of ``body`` end as the stage ``price``; by then their spans are there."""
    interceptors = [TracingInterceptor(), *more]
    pipeline = Pipeline("shop").with_stage("price", body, "work").build(interceptors=interceptors)
    async with (
        LocalRuntime(event_sink=NoOpEventSink()) as runtime,
        runtime.deploy(pipeline) as app,
    ):
        runs = [await app.start(input_text=str(number), **parts) for number in range(times)]
        return [await run.result() for run in runs]


def raising(error):
    async def body(ctx):
        raise error

    return body


# --- log records ----------------------------------------------------------------------------------


async def test_an_attempt_leaves_one_record_at_each_end(caplog):
    caplog.set_level(logging.INFO, LOGGER)
    ctx = stage_context(attempt=2)
    await run([LoggingInterceptor()], returns(secret="s3"), ctx)
    began, ended = caplog.records
    for record in (began, ended):
        assert (record.name, record.levelno) == (LOGGER, logging.INFO)
        assert (record.stage, record.pipeline, record.attempt) == ("price", "shop", 2)
        assert record.pipeline_run_id == str(ctx.pipeline_run_id)
        assert "s3" not in record.getMessage()
    assert (began.event, ended.event) == ("stage.attempt.started", "stage.attempt.ended")
    assert (ended.outcome, ended.error_type) == ("ok", None)
    assert ended.seconds >= 0


async def test_a_failure_is_logged_by_its_type_without_its_text(caplog):
    caplog.set_level(logging.INFO, LOGGER)
    await run([LoggingInterceptor()], raises(ValueError("card 4111")))
    ended = caplog.records[-1]
    assert (ended.outcome, ended.error_type) == ("fail", "ValueError")
    assert "4111" not in ended.getMessage()


def test_logging_is_idle_unless_somebody_listens(caplog):
    caplog.set_level(logging.WARNING, LOGGER)
    assert LoggingInterceptor().is_idle()
    caplog.set_level(logging.INFO, LOGGER)
    assert not LoggingInterceptor().is_idle()


async def test_a_stopped_attempt_is_logged_to_its_end(caplog):
    caplog.set_level(logging.INFO, LOGGER)
    ctx, running = stage_context(), asyncio.Event()

    async def body():
        running.set()
        await asyncio.Event().wait()

    attempt = asyncio.create_task(run([LoggingInterceptor()], body, ctx))
    await running.wait()
    ctx.cancellation.request("closing")
    attempt.cancel()
    await attempt
    assert caplog.records[-1].outcome == "interrupted"


# --- metrics --------------------------------------------------------------------------------------


@pytest.mark.parametrize("measures", MEASURES)
async def test_what_has_the_runtime_measure_is_never_called(measures, monkeypatch):
    """Whoever holds the run measures it: an attempt whose process dies is counted, too."""
    provider = MeterProvider(shutdown_on_exit=False)
    monkeypatch.setattr(metrics, "get_meter_provider", lambda: provider)
    interceptor = pickle.loads(pickle.dumps(measures()))
    assert interceptor.is_idle()
    assert InterceptorChain([interceptor]).is_idle
    assert not vars(measures).keys() & {"before", "after", "on_error", "ended"}
    provider.shutdown()


# --- spans ----------------------------------------------------------------------------------------


async def test_an_attempt_is_a_span_that_what_the_stage_opens_is_below(seen):
    async def body(ctx):
        with trace.get_tracer_provider().get_tracer("user").start_as_current_span("query"):
            return StageOutput.ok()

    (result,) = await traced(body)
    query, attempt = seen.one("query"), seen.one("stageflow.stage price")
    assert query.parent.span_id == attempt.context.span_id
    assert query.context.trace_id == attempt.context.trace_id
    told = dict(attempt.attributes)
    assert told.pop("stageflow.attempt.queue_s") >= 0
    assert told == {
        "stageflow.pipeline.name": "shop",
        "stageflow.run.id": str(result.pipeline_run_id),
        "stageflow.stage.name": "price",
        "stageflow.attempt.number": 1,
        "stageflow.attempt.outcome": "completed",
    }
    assert attempt.status.is_unset
    assert not trace.get_current_span().is_recording()


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("boom"), "boom"),
        (Mute(), "<the text of this Mute raised RuntimeError>"),
    ],
)
async def test_a_failed_attempt_is_a_span_with_an_error(seen, error, text):
    await traced(raising(error))
    span = seen.one("stageflow.stage price")
    assert span.status.status_code is trace.StatusCode.ERROR
    assert span.attributes["error.type"] == type(error).__qualname__
    [event] = span.events
    assert event.name == "exception"
    assert dict(event.attributes) == {
        "exception.type": type(error).__qualname__,
        "exception.message": text,
    }


async def test_a_failure_that_was_returned_is_a_span_with_an_error(seen):
    async def body(ctx):
        return StageOutput.fail("no stock")

    await traced(body)
    span = seen.one("stageflow.stage price")
    assert span.status.status_code is trace.StatusCode.ERROR
    assert "no stock" in span.status.description


async def test_a_failure_that_was_mended_is_a_span_without_an_error(seen):
    mends = Noting("mends", [], 1, on_error=ErrorDecision.fallback({}))
    (result,) = await traced(raising(ValueError()), mends)
    assert result.ok
    span = seen.one("stageflow.stage price")
    assert span.status.is_unset
    assert span.attributes["stageflow.attempt.outcome"] == "completed"


@pytest.mark.parametrize(
    ("changed", "has_span"),
    [({}, True), ({"is_sampled": False}, False), ({"is_recorded": False}, False)],
)
def test_a_process_without_a_provider_makes_the_span_of_whoever_has_one(changed, has_span):
    ctx = stage_context()

    def enter():
        TracingInterceptor().make_current(ctx)
        return ctx.span is not None

    assert not contextvars.copy_context().run(enter)
    ctx.trace = new_trace()._replace(**changed)
    assert contextvars.copy_context().run(enter) is has_span


async def test_what_the_stage_sets_on_its_span_is_part_of_it(seen):
    async def body(ctx):
        span = trace.get_current_span()
        span.set_attribute("shop.books", 3)
        span.add_event("shop.counted", {"shelves": 2})
        return StageOutput.ok()

    await traced(body)
    span = seen.one("stageflow.stage price")
    assert span.attributes["shop.books"] == 3
    assert [(event.name, dict(event.attributes)) for event in span.events] == [
        ("shop.counted", {"shelves": 2})
    ]


async def test_a_stopped_attempt_is_a_span_without_an_error(seen):
    running = asyncio.Event()

    async def body(ctx):
        trace.get_current_span().set_attribute("shop.books", 3)
        running.set()
        await asyncio.Event().wait()

    pipeline = Pipeline("shop").with_stage("price", body, "work")
    graph = pipeline.build(interceptors=[TracingInterceptor()])
    async with (
        LocalRuntime(event_sink=NoOpEventSink()) as runtime,
        runtime.deploy(graph) as app,
    ):
        handle = await app.start()
        await running.wait()
        await handle.cancel("closing")
        await handle.result()
    span = seen.one("stageflow.stage price")
    assert span.attributes["stageflow.attempt.outcome"] == "cancelled"
    assert span.attributes["stageflow.reason"] == "closing"
    assert span.attributes["shop.books"] == 3
    assert span.status.is_unset


async def test_spans_of_attempts_at_the_same_time_are_kept_apart(seen):
    here, gate = [], asyncio.Event()

    async def body(ctx):
        here.append(ctx)
        if len(here) == 3:
            gate.set()
        await gate.wait()
        trace.get_current_span().set_attribute("number", ctx.snapshot.input_text)
        with trace.get_tracer_provider().get_tracer("user").start_as_current_span("query") as span:
            span.set_attribute("number", ctx.snapshot.input_text)
        return StageOutput.ok()

    results = await traced(body, times=3)
    runs = {str(result.pipeline_run_id): str(number) for number, result in enumerate(results)}
    attempts = seen.attempts()
    told = {span.attributes["stageflow.run.id"]: span.attributes["number"] for span in attempts}
    assert told == runs
    numbers = {span.context.span_id: span.attributes["number"] for span in attempts}
    queries = seen.named("query")
    assert len(queries) == 3
    assert all(numbers[each.parent.span_id] == each.attributes["number"] for each in queries)


# --- unused ---------------------------------------------------------------------------------------


def test_unused_they_load_nothing():
    code = """
import sys
from stageflow_actors.interceptors import InterceptorChain, get_default_interceptors, split
assert InterceptorChain(split(get_default_interceptors())[1]).is_idle
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
    fresh = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (fresh.stdout, fresh.stderr) == ("[]\n", "")


async def test_the_one_for_logs_can_be_shipped_when_it_has_been_used():
    used = LoggingInterceptor()
    await run([used], returns())
    shipped = pickle.loads(pickle.dumps(used))
    assert (await run([shipped], returns())).output is not None


async def test_the_one_for_spans_can_be_shipped_in_the_middle_of_an_attempt(seen):
    interceptor = TracingInterceptor()

    async def body(ctx):
        assert trace.get_current_span().is_recording()
        assert pickle.loads(pickle.dumps(interceptor)).is_idle()
        return StageOutput.ok()

    pipeline = Pipeline("shop").with_stage("price", body, "work")
    graph = pipeline.build(interceptors=[interceptor])
    async with (
        LocalRuntime(event_sink=NoOpEventSink()) as runtime,
        runtime.deploy(graph) as app,
    ):
        assert await app.run()
    assert len(seen.attempts()) == 1


async def test_without_the_one_for_spans_a_stage_is_in_the_span_of_its_caller(seen):
    async def body(ctx):
        return {"is_recording": trace.get_current_span().is_recording()}

    graph = Pipeline("shop").with_stage("price", body, "work").build(interceptors=[])
    async with (
        LocalRuntime(event_sink=NoOpEventSink()) as runtime,
        runtime.deploy(graph) as app,
    ):
        results = await app.run()
    assert results["price"].data == {"is_recording": False}
    assert len(seen.attempts()) == 1
