"""Whatever a stage does with its span, records of calls and events: spans are attempts."""

from __future__ import annotations

import asyncio

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.trace import StatusCode

from stageflow_actors import (
    InMemoryEventSink,
    LocalRuntime,
    Pipeline,
    PipelineContext,
    Settings,
    StageContext,
)
from tests.telemetry.spans_seen import SeenSpans, check_trees


class UnreadableError(Exception):
    def __str__(self):
        raise RuntimeError("no text")


class Record:
    """Of somebody's own, which is none."""

    latency_ms = "slow"

    def to_otel_attributes(self):
        return {"gen_ai.request.model": object()}

    def contents(self):
        return {}


class NoRecord(Record):
    latency_ms = None

    def to_otel_attributes(self):
        return 5


def spoil_values(_ctx, span):
    endless = []
    endless.append(endless)
    odd = {"object": object(), "endless": endless, "bytes": b"\xff", "nan": float("nan")}
    span.set_attributes({**odd, "\ud800": "\ud800", "huge": 10**5000})
    span.set_attributes(None)
    span.set_attribute([], 1)
    span.set_attribute(None, 1)
    for number in range(10_000):
        span.set_attribute(f"n{number}", number)
        span.add_event(f"e{number}")


def spoil_events(_ctx, span):
    for at in (float("nan"), 10**400, 2**63, -5, "now", True):
        span.add_event("timed", timestamp=at)
    span.add_event(object(), {1: object()})
    span.add_event(None, 7)
    span.record_exception(UnreadableError())
    span.record_exception("no exception", attributes=5)
    span.set_status(StatusCode.ERROR, object())


def end_it(_ctx, span):
    with span:
        span.end()
    span.update_name("mine")


def tell_rubbish(ctx, _span):
    ctx.record_call(Record())
    ctx.record_call(NoRecord())
    for latency in ("x", float("nan"), 1e300, -1e300, 10**400, [1]):
        ctx.try_emit_event("provider.call", {"latency_ms": latency, "attributes": 5})
    ctx.try_emit_event("stage.traced", {"attributes": 5, "events": [1, {}], "error": 5})
    ctx.try_emit_event("stage.traced", {"span_contents": 5})


def tell_of_drops(number):
    def tell(ctx, _span):
        ctx.try_emit_event("stage.traced", {"dropped_attributes": number, "dropped_events": number})

    return tell


def tell_the_end(ctx, _span):
    for word in ("created", "started", "completed", "failed", "cancelled", "refused", "wide"):
        ctx.try_emit_event(f"pipeline.{word}", {"status": "x"})
    for word in ("started", "completed", "failed", "skipped", "cancelled", "started"):
        odd = {"dependencies": 5, "began_at": "x", "ended_at": [1]}
        ctx.try_emit_event(f"stage.{ctx.stage_name}.{word}", odd)
    ctx.try_emit_event("stage.error", {"action_taken": ["retry"], "error_type": 5})


def tell_of_children(ctx, _span):
    own = str(ctx.pipeline_run_id)
    ctx.try_emit_event("pipeline.spawned_child", {"child_run_id": own, "pipeline_name": 5})
    ctx.try_emit_event("pipeline.child_failed", {"child_run_id": own, "status": 5})


SPOILERS = [
    *(spoil_values, spoil_events, end_it, tell_rubbish, tell_the_end, tell_of_children),
    *map(tell_of_drops, ["x", -1, 2**32, 1.5]),
]


@pytest.fixture
def seen(monkeypatch):
    return SeenSpans(monkeypatch)


async def run_spoiled(spoil, stage="a"):
    async def spoiled(ctx: StageContext):
        spoil(ctx, trace.get_current_span())

    async def after(ctx: StageContext): ...

    pipeline = Pipeline("p").with_stage(stage, spoiled, "work")
    pipeline = pipeline.with_stage("b", after, "work", dependencies=stage)
    sink = InMemoryEventSink()
    runtime = LocalRuntime(event_sink=sink, settings=Settings(wide_events=True))
    async with runtime, runtime.deploy(pipeline) as app:
        result = await (await app.start()).result()
        assert await runtime.flush_events()
        told = runtime.event_statistics()
    assert result.status == "ok"
    assert told.failed == 0
    return sink


@pytest.mark.parametrize("spoil", SPOILERS)
@pytest.mark.parametrize("stage", ["a", "error", "wide", "started", "a.started", "\x1b[31mü\u2028"])
async def test_a_stage_cannot_spoil_the_spans_of_its_run(seen, spoil, stage):
    await run_spoiled(spoil, stage)
    names = [span.name for span in seen.attempts() + seen.runs()]
    assert names == [f"stageflow.stage {stage}", "stageflow.stage b", "invoke_workflow p"]
    check_trees(seen.all)
    encode_spans(seen.all).SerializeToString()  # one that cannot be would lose its whole batch


async def test_one_value_that_is_no_attribute_costs_the_others_nothing(seen):
    await run_spoiled(lambda _ctx, span: span.set_attributes({"odd": object(), "rows": 3}))
    told = seen.one("stageflow.stage a").attributes
    assert told["rows"] == 3
    assert told["odd"].startswith("<object object")


async def test_attributes_beyond_the_bound_are_dropped_and_counted(seen):
    def set_many(_ctx, span):
        span.set_attributes({f"n{number}": number for number in range(130)})
        span.set_attribute("one", "more")
        span.set_attributes({"n0": "again", "none": None})

    sink = await run_spoiled(set_many)
    span = seen.one("stageflow.stage a")
    assert span.dropped_attributes == 3
    own = {name: value for name, value in span.attributes.items() if name.startswith("n")}
    assert own == {"n0": "again", **{f"n{number}": number for number in range(1, 128)}}
    assert sink.of_type("stage.traced")[0].data["dropped_attributes"] == 3
    assert seen.one("stageflow.stage b").dropped_attributes == 0


async def test_events_beyond_the_bound_are_dropped_and_counted(seen):
    def add_many(_ctx, span):
        for number in range(130):
            span.add_event(f"n{number}")

    sink = await run_spoiled(add_many)
    span = seen.one("stageflow.stage a")
    assert [event.name for event in span.events] == [f"n{number}" for number in range(128)]
    assert span.dropped_events == 2
    assert sink.of_type("stage.traced")[0].data["dropped_events"] == 2
    assert seen.one("stageflow.stage b").dropped_events == 0


async def test_the_types_that_the_runtime_tells_runs_by_are_its_own(seen):
    sink = await run_spoiled(tell_the_end)
    types = [event.type for event in sink.events]
    assert types.count("pipeline.completed") == types.count("stage.a.started") == 1
    assert types.count("emitted.pipeline.completed") == 1
    assert types.count("emitted.stage.a.started") == 2


async def test_runs_of_one_context_that_go_on_at_once_have_their_own_spans(seen):
    async def meet(ctx: StageContext): ...

    async def read(run):
        return [event.type async for event in run.events()]

    pipeline = Pipeline("p").with_stage("a", meet, "work")
    pipeline = pipeline.with_stage("b", meet, "work", dependencies="a")
    context = PipelineContext()
    runtime = LocalRuntime(event_sink=InMemoryEventSink())
    async with runtime, runtime.deploy(pipeline) as app:
        runs = [await app.start(context) for _ in range(3)]
        await asyncio.gather(*map(read, runs))  # who reads has the events come one by one
        await runtime.flush_events()
    assert len({run.run_id for run in runs}) == 1
    assert (len(seen.runs()), len(seen.attempts())) == (3, 6)
    check_trees(seen.all)
