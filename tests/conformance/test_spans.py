"""The spans of a run: one for it, one per attempt, one per call of a provider, in one tree."""

from __future__ import annotations

import asyncio

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased

from stageflow_actors import (
    LLMResponse,
    LocalRuntime,
    Pipeline,
    PipelineContext,
    RetryPolicy,
    StageOutput,
    TraceContext,
)
from tests.conformance.parents import alone, knowing
from tests.conformance.stages import ok
from tests.telemetry.spans_seen import SeenSpans, check_trees

OUTER = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}


@pytest.fixture
def seen(monkeypatch):
    return SeenSpans(monkeypatch)


@pytest.fixture
def spans_of(runtime, seen):
    """Runs a pipeline once; its result, once all spans of it are there."""

    async def run_once(pipeline, ctx=None, /, **parts):
        async with runtime, runtime.deploy(pipeline) as app:
            handle = await app.start(ctx, **parts)
            return await handle.result()

    return run_once


def id_of(span):
    return f"{span.context.span_id:016x}"


def parent_of(span):
    return None if span.parent is None else f"{span.parent.span_id:016x}"


def links_of(span):
    return {f"{link.context.span_id:016x}" for link in span.links}


async def test_a_run_is_a_span_that_those_of_its_attempts_are_below(spans_of, seen):
    pipeline = (
        Pipeline("diamond")
        .with_stage("a", ok, "work")
        .with_stage("b", ok, "work", "a")
        .with_stage("c", ok, "work", after="a")
        .with_stage("d", ok, "work", ["b", "c"])
    )
    result = await spans_of(pipeline, session_id=None)
    run = seen.one("invoke_workflow diamond")
    assert parent_of(run) is None
    assert run.attributes["gen_ai.operation.name"] == "invoke_workflow"
    assert run.attributes["gen_ai.workflow.name"] == "diamond"
    assert run.attributes["stageflow.run.id"] == str(result.pipeline_run_id)
    assert run.attributes["stageflow.run.status"] == "ok"
    attempts = {span.attributes["stageflow.stage.name"]: span for span in seen.attempts()}
    assert sorted(attempts) == ["a", "b", "c", "d"]
    assert {parent_of(span) for span in attempts.values()} == {id_of(run)}
    assert links_of(attempts["d"]) == {id_of(attempts["b"]), id_of(attempts["c"])}
    assert links_of(attempts["c"]) == {id_of(attempts["a"])}
    assert attempts["d"].attributes["stageflow.attempt.outcome"] == "completed"
    check_trees(seen.all)


async def fails_once(ctx):
    if ctx.attempt == 1:
        raise ConnectionError("the line is dead")
    return {"done": True}


async def passes(ctx):
    return StageOutput.skip("nothing to do")


async def test_retries_skips_and_failures_are_seen(spans_of, seen):
    retry = RetryPolicy(max_attempts=2, initial_delay_s=0.001)
    pipeline = (
        Pipeline("rough")
        .with_stage("flaky", fails_once, "work", retry=retry)
        .with_stage("empty", passes, "work", "flaky")
        .with_stage("unneeded", ok, "work", "empty", conditional=True)
        .with_stage("bad", broken, "work", after="unneeded")
    )
    await spans_of(pipeline)
    first, second = seen.named("stageflow.stage flaky")
    assert first.attributes["stageflow.attempt.outcome"] == "retried"
    assert first.attributes["error.type"] == "ConnectionError"
    assert first.status.status_code is trace.StatusCode.ERROR
    assert {event.name for event in first.events} == {"stage.retry_scheduled", "exception"}
    assert second.attributes["stageflow.attempt.number"] == 2
    assert seen.one("stageflow.stage empty").attributes["stageflow.attempt.outcome"] == "skipped"
    assert seen.named("stageflow.stage unneeded") == []
    run = seen.one("invoke_workflow rough")
    assert run.status.status_code is trace.StatusCode.ERROR
    assert run.attributes["error.type"] == "ValueError"
    assert run.attributes["stageflow.run.deciding_stage"] == "bad"
    check_trees(seen.all)


async def broken(ctx):
    raise ValueError("broken")


async def test_a_stage_that_is_passed_by_is_an_event_of_the_run(spans_of, seen):
    pipeline = (
        Pipeline("short")
        .with_stage("empty", passes, "work")
        .with_stage("unneeded", ok, "work", "empty", conditional=True)
    )
    await spans_of(pipeline)
    (event,) = seen.one("invoke_workflow short").events
    assert (event.name, event.attributes["stageflow.stage.name"]) == ("stage.skipped", "unneeded")


async def tells(ctx):
    return {"trace": ctx.trace.to_headers(), "attempt": ctx.trace.span_id}


async def test_a_stage_can_pass_its_trace_on(spans_of, seen):
    result = await spans_of(alone("teller", tells))
    span = seen.one("stageflow.stage teller")
    told = result.outputs["teller"].data
    assert told["attempt"] == id_of(span)
    header = f"00-{span.context.trace_id:032x}-{id_of(span)}-01"
    assert told["trace"] == {"traceparent": header}


async def speaks(ctx):
    trace.get_current_span().set_attribute("tone", "warm")
    return {"is_recording": trace.get_current_span().is_recording()}


async def test_what_a_stage_sets_on_its_span_arrives_where_its_process_exports_nothing(
    spans_of, seen, sink
):
    result = await spans_of(alone("speaker", speaks))
    assert result.outputs["speaker"].data == {"is_recording": True}
    assert seen.one("stageflow.stage speaker").attributes["tone"] == "warm"
    assert len(sink.of_type("stage.traced")) == 1


async def test_a_run_is_below_the_span_that_it_was_started_in(spans_of, seen):
    tracer = seen.provider.get_tracer("caller")
    with tracer.start_as_current_span("caller"):
        await spans_of(alone("one", ok))
    caller = seen.one("caller")
    assert parent_of(seen.one("invoke_workflow one")) == id_of(caller)
    check_trees(seen.all)


async def test_a_run_is_below_the_span_that_its_context_names(spans_of, seen):
    context = PipelineContext.create(topology="one")
    context.trace = TraceContext.from_headers({**OUTER, "baggage": "team=a"})
    result = await spans_of(alone("teller", tells), context)
    run = seen.one("invoke_workflow one")
    assert f"{run.context.trace_id:032x}" == context.trace.trace_id
    assert parent_of(run) == "b7ad6b7169203331"
    assert result.outputs["teller"].data["trace"]["baggage"] == "team=a"


async def test_what_the_sampler_leaves_out_has_no_spans(monkeypatch, runtime):
    seen = SeenSpans(monkeypatch, sampler=ParentBased(ALWAYS_OFF))
    async with runtime, runtime.deploy(alone("teller", tells)) as app:
        results = await app.run()
        assert results["teller"].data["trace"]["traceparent"].endswith("-00")
        asked_for = PipelineContext.create()
        asked_for.trace = TraceContext.from_headers(OUTER)
        await app.run(asked_for)
    assert [span.name for span in seen.runs()] == ["invoke_workflow teller"]


async def spawns(ctx):
    child = await ctx.spawn("leaf", "hi")
    return {"child": str(child.child_run_id)}


async def test_a_child_run_is_below_the_attempt_that_spawned_it(runtime, seen):
    known = knowing(runtime, alone("leaf", ok))
    async with known, known.deploy(alone("top", spawns)) as app:
        results = await app.run()
    child = seen.one("invoke_workflow leaf")
    assert parent_of(child) == id_of(seen.one("stageflow.stage top"))
    assert child.attributes["stageflow.run.id"] == results["top"].data["child"]
    assert parent_of(seen.one("stageflow.stage leaf")) == id_of(child)
    check_trees(seen.all)


def answer(number):
    return LLMResponse(
        provider="openai", model="gpt-test", content="secret words", input_tokens=3,
        output_tokens=number, latency_ms=20.0,
    )  # fmt: skip


async def calls(ctx):
    first, second = answer(1), answer(2)
    ctx.record_call(first)
    return {"first": first, "more": [second]}


async def test_calls_of_providers_are_spans_below_their_attempt(spans_of, seen, sink):
    await spans_of(alone("llm", calls))
    attempt = seen.one("stageflow.stage llm")
    spans = seen.named("chat gpt-test")
    assert [span.attributes["gen_ai.usage.output_tokens"] for span in spans] == [1, 2]
    for span in spans:
        assert parent_of(span) == id_of(attempt)
        assert span.kind is trace.SpanKind.CLIENT
        assert span.attributes["gen_ai.provider.name"] == "openai"
        assert span.end_time - span.start_time == pytest.approx(20_000_000, abs=1_000)
        assert "secret words" not in str(dict(span.attributes))
    assert len(sink.of_type("provider.call")) == 2
    check_trees(seen.all)


CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


@pytest.mark.parametrize(
    ("asked", "in_span", "in_event"),
    [("SPAN_ONLY", True, False), ("EVENT_ONLY", False, True), ("SPAN_AND_EVENT", True, True)],
)
async def test_what_was_said_is_told_where_it_is_asked_for(
    asked, in_span, in_event, monkeypatch, seen, sink
):
    monkeypatch.setenv(CAPTURE, asked)  # of this process: that of a stage has its own
    runtime = LocalRuntime(event_sink=sink)
    async with runtime, runtime.deploy(alone("llm", calls)) as app:
        await app.run()
    span, _other = seen.named("chat gpt-test")
    assert ("secret words" in span.attributes.get("gen_ai.output.messages", "")) is in_span
    event, _other = sink.of_type("provider.call")
    assert ("secret words" in str(event.data)) is in_event


async def forever(ctx):
    await asyncio.Event().wait()


async def test_a_cancelled_attempt_is_seen_with_its_reason(runtime, seen):
    async with runtime, runtime.deploy(alone("waiter", forever)) as app:
        handle = await app.start()
        async for event in handle.events():
            if event.type == "stage.waiter.started":
                await handle.cancel("enough")
    attempt = seen.one("stageflow.stage waiter")
    assert attempt.attributes["stageflow.attempt.outcome"] == "cancelled"
    run = seen.one("invoke_workflow waiter")
    assert run.attributes["stageflow.run.status"] == "cancelled"
    assert run.status.status_code is trace.StatusCode.UNSET
    check_trees(seen.all)


async def test_without_a_provider_nothing_is_traced(runtime, sink):
    async with runtime, runtime.deploy(alone("one", untraced)) as app:
        results = await app.run()
    assert results["one"].data == {"trace": None}
    assert not any("trace_id" in event.data for event in sink.events)


async def untraced(ctx):
    return {"trace": ctx.trace}


async def test_runs_on_one_context_are_not_below_each_other(runtime, seen):
    context = PipelineContext.create(topology="twice")
    async with runtime, runtime.deploy(alone("one", ok)) as app:
        await app.run(context)
        await app.run(context)
    assert context.trace is None
    assert [parent_of(span) for span in seen.runs()] == [None, None]
    check_trees(seen.all)
