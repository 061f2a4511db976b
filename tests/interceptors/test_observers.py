"""Log records, metrics and spans of attempts: what is in them, and that unused they are idle."""

from __future__ import annotations

import asyncio
import logging
import pickle
import subprocess
import sys

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from stageflow_actors import StageOutput
from stageflow_actors.interceptors import (
    ChildTrackerMetricsInterceptor,
    ErrorDecision,
    InterceptorChain,
    LoggingInterceptor,
    MetricsInterceptor,
    TracingInterceptor,
)
from stageflow_actors.model.pipeline_context import to_pipeline_context
from tests.interceptors.attempts import Noting, raises, returns, run, stage_context

LOGGER = "stageflow_actors.stages"
OBSERVERS = [LoggingInterceptor, MetricsInterceptor, TracingInterceptor]


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no text")


@pytest.fixture
def reader(monkeypatch):
    """Where metrics go, with a provider of this test alone."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    monkeypatch.setattr(metrics, "get_meter_provider", lambda: provider)
    yield reader
    provider.shutdown()


@pytest.fixture
def exporter(monkeypatch):
    """Where spans go, with a provider of this test alone."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    yield exporter
    provider.shutdown()


def points(reader):
    """Name of an instrument -> its points."""
    data = reader.get_metrics_data()
    if data is None:
        return {}
    [resource] = data.resource_metrics
    return {
        metric.name: list(metric.data.data_points)
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


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


# --- metrics --------------------------------------------------------------------------------------


async def test_attempts_are_counted_and_measured_by_pipeline_stage_and_outcome(reader):
    chain = InterceptorChain([MetricsInterceptor()])
    for body in (returns(), returns(), raises(ValueError())):
        await chain.run(stage_context(), body)
    measured = points(reader)
    ok, failed = ({"pipeline": "shop", "stage": "price", "outcome": o} for o in ("ok", "fail"))
    counted = [
        (dict(point.attributes), point.value) for point in measured["stageflow.stage.attempts"]
    ]
    assert counted == [(ok, 2), (failed, 1)]
    seconds = measured["stageflow.stage.attempt.duration"]
    assert [(dict(point.attributes), point.count) for point in seconds] == [(ok, 2), (failed, 1)]


async def test_runs_that_a_stage_starts_are_counted(reader):
    async def starts_two():
        for _ in range(2):
            to_pipeline_context(ctx, {})
        return StageOutput.ok()

    ctx, chain = stage_context(), InterceptorChain([ChildTrackerMetricsInterceptor()])
    await chain.run(ctx, starts_two)
    await chain.run(stage_context(), returns())
    (counted,) = points(reader)["stageflow.stage.child_runs"]
    assert (dict(counted.attributes), counted.value) == ({"pipeline": "shop", "stage": "price"}, 2)


async def test_metrics_follow_a_provider_that_was_set_anew(monkeypatch):
    chain, counts = InterceptorChain([MetricsInterceptor()]), []
    for _ in range(2):
        reader = InMemoryMetricReader()
        provider = MeterProvider([reader], shutdown_on_exit=False)
        monkeypatch.setattr(metrics, "get_meter_provider", lambda provider=provider: provider)
        await chain.run(stage_context(), returns())
        counts += [point.value for point in points(reader)["stageflow.stage.attempts"]]
        provider.shutdown()
    assert counts == [1, 1]


# --- spans ----------------------------------------------------------------------------------------


async def test_an_attempt_is_a_span_that_what_the_stage_opens_is_below(exporter):
    ctx = stage_context(attempt=2)

    async def body():
        with trace.get_tracer_provider().get_tracer("user").start_as_current_span("query"):
            return StageOutput.ok()

    await run([TracingInterceptor()], body, ctx)
    query, attempt = exporter.get_finished_spans()
    assert query.parent.span_id == attempt.context.span_id
    assert attempt.name == "stage price"
    assert dict(attempt.attributes) == {
        "stageflow.pipeline": "shop",
        "stageflow.pipeline_run_id": str(ctx.pipeline_run_id),
        "stageflow.stage": "price",
        "stageflow.attempt": 2,
        "stageflow.outcome": "ok",
    }
    assert attempt.status.is_ok
    assert not trace.get_current_span().is_recording()


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("boom"), "boom"),
        (Mute(), "<the text of this Mute raised RuntimeError>"),
    ],
)
async def test_a_failed_attempt_is_a_span_with_an_error(exporter, error, text):
    done = await run([TracingInterceptor()], raises(error))
    assert done.error is error
    [span] = exporter.get_finished_spans()
    assert span.status.status_code is trace.StatusCode.ERROR
    [event] = span.events
    assert event.name == "exception"
    assert dict(event.attributes) == {
        "exception.type": type(error).__qualname__,
        "exception.message": text,
    }


async def test_a_failure_that_was_returned_is_a_span_with_an_error(exporter):
    async def body():
        return StageOutput.fail("no stock")

    await run([TracingInterceptor()], body)
    [span] = exporter.get_finished_spans()
    assert span.status.status_code is trace.StatusCode.ERROR


async def test_a_failure_that_was_mended_is_a_span_without_an_error(exporter):
    mends = Noting("mends", [], 1, on_error=ErrorDecision.fallback({}))
    await run([mends, TracingInterceptor()], raises(ValueError()))
    [span] = exporter.get_finished_spans()
    assert span.status.is_unset
    assert span.attributes["stageflow.outcome"] == "ok"


@pytest.mark.parametrize("observer", OBSERVERS)
async def test_a_stopped_attempt_is_observed_to_its_end(observer, reader, exporter, caplog):
    caplog.set_level(logging.INFO, LOGGER)
    ctx, running, interceptor = stage_context(), asyncio.Event(), observer()

    async def body():
        running.set()
        await asyncio.Event().wait()

    attempt = asyncio.create_task(run([interceptor], body, ctx))
    await running.wait()
    ctx.cancellation.request("closing")
    attempt.cancel()
    await attempt
    outcomes = [
        *(record.outcome for record in caplog.records if hasattr(record, "outcome")),
        *(point.attributes["outcome"] for p in points(reader).values() for point in p),
        *(span.attributes["stageflow.outcome"] for span in exporter.get_finished_spans()),
    ]
    assert outcomes
    assert set(outcomes) == {"interrupted"}
    assert all(span.status.is_unset for span in exporter.get_finished_spans())


async def test_spans_of_attempts_at_the_same_time_are_kept_apart(exporter):
    chain, gate = InterceptorChain([TracingInterceptor()]), asyncio.Event()

    async def attempt(number):
        async def body():
            await gate.wait()
            trace.get_current_span().set_attribute("number", number)
            return StageOutput.ok()

        return await chain.run(stage_context(attempt=number), body)

    attempts = [asyncio.create_task(attempt(number)) for number in range(1, 4)]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*attempts)
    spans = exporter.get_finished_spans()
    assert [span.attributes["number"] for span in spans] == [1, 2, 3]
    assert [span.attributes["stageflow.attempt"] for span in spans] == [1, 2, 3]


# --- unused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("observer", [MetricsInterceptor, TracingInterceptor])
@pytest.mark.parametrize(
    "stand_ins", [None, (metrics.NoOpMeterProvider(), trace.NoOpTracerProvider())]
)
def test_without_a_real_provider_they_are_idle(observer, stand_ins, monkeypatch):
    if stand_ins:
        monkeypatch.setattr(metrics, "get_meter_provider", lambda: stand_ins[0])
        monkeypatch.setattr(trace, "get_tracer_provider", lambda: stand_ins[1])
    assert observer().is_idle()


@pytest.mark.parametrize("observer", [MetricsInterceptor, TracingInterceptor])
def test_with_a_real_provider_they_are_not(observer, reader, exporter):
    assert not observer().is_idle()


def test_unused_they_load_nothing():
    code = """
import sys
from stageflow_actors.interceptors import InterceptorChain, get_default_interceptors, split
assert InterceptorChain(split(get_default_interceptors())[1]).is_idle
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
    fresh = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (fresh.stdout, fresh.stderr) == ("[]\n", "")


@pytest.mark.parametrize("observer", OBSERVERS)
async def test_they_can_be_shipped_when_they_have_been_used(observer, reader, exporter):
    used = observer()
    await run([used], returns())
    shipped = pickle.loads(pickle.dumps(used))
    assert (await run([shipped], returns())).output is not None


async def test_shipping_one_in_the_middle_of_an_attempt_takes_no_span_along(exporter):
    interceptor = TracingInterceptor()

    async def body():
        pickle.dumps(interceptor)
        return StageOutput.ok()

    assert (await run([interceptor], body)).error is None
    assert len(exporter.get_finished_spans()) == 1
