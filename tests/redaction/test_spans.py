"""Contents in spans where that is asked for, and there alone; secrets nowhere."""

from __future__ import annotations

import pytest
from opentelemetry import trace
from opentelemetry.trace import StatusCode

from stageflow_actors import (
    InMemoryEventSink,
    LLMResponse,
    LocalRuntime,
    Pipeline,
    PipelineContext,
)
from stageflow_actors.actors.sealing import plain_event
from stageflow_actors.model.events import SPAN_CONTENTS, STAGE_TRACED, Event, event_data
from stageflow_actors.model.output import StageEvent
from stageflow_actors.model.redaction.capture import VARIABLE
from stageflow_actors.model.redaction.sources import redactor_of_run
from tests.redaction import leaky
from tests.redaction.leaky import CANARIES
from tests.redaction.test_canaries import found_in
from tests.telemetry.spans_seen import SeenSpans

SAID = {"input", "message", "answer", "sentence"}
CAPTURES = [
    ("", False, False),
    ("SPAN_ONLY", True, False),
    ("EVENT_ONLY", False, True),
    ("SPAN_AND_EVENT", True, True),
]


class Traces(leaky.Configured):
    """Sets on its span, and tells as an answer of a model, all that it can read."""

    async def execute(self, ctx):
        text = leaky.everything_in(ctx, self.config)
        ctx.record_call(LLMResponse(content=text, model="m-1", provider="p"))
        span = trace.get_current_span()
        span.set_attribute("all", text)
        span.set_attribute("apiKey", CANARIES["event_name"])
        span.add_event("it.is.told", {"all": text, "why": f"pwd={CANARIES['event_text']}"})
        span.set_status(StatusCode.ERROR, text)
        return {"told": True}


@pytest.fixture
def seen(monkeypatch):
    for name, value in leaky.ENVIRON.items():
        monkeypatch.setenv(name, value)
    return SeenSpans(monkeypatch)


async def told_by_run():
    """What sinks and readers were told, and whether both heard of the span and the call."""
    sink = InMemoryEventSink()
    runtime = LocalRuntime(event_sink=sink)
    pipeline = Pipeline("tracing").with_stage("s", Traces, config=leaky.config())
    async with runtime, runtime.deploy(pipeline) as app:
        handle = await app.start(PipelineContext(**leaky.given()))
        read = [event async for event in handle.events()]
        assert (await handle.result()).ok
        await runtime.flush_events()
    for types in ({event.type for event in read}, {event.type for event in sink.events}):
        assert {"provider.call", STAGE_TRACED} <= types
    return repr(read), repr([event.data for event in sink.events])


@pytest.mark.parametrize(("asked", "in_spans", "in_events"), CAPTURES)
async def test_no_canary_is_in_a_span_but_what_was_said_where_that_is_asked_for(
    seen, monkeypatch, asked, in_spans, in_events
):
    monkeypatch.setenv(VARIABLE, asked)
    read, sunk = await told_by_run()
    for told in (read, sunk):
        assert found_in(told) == (SAID if in_events else set())
        assert SPAN_CONTENTS not in told
        assert "[redacted]" in told
    for span in (seen.one("chat m-1"), seen.one("stageflow.stage s")):
        assert found_in(span.to_json()) == (SAID if in_spans else set())
    assert found_in("".join(span.to_json() for span in seen.all)) <= SAID


@pytest.mark.parametrize(("asked", "in_spans", "in_events"), CAPTURES)
def test_what_a_stage_set_on_its_span_is_told_for_spans_and_for_events(asked, in_spans, in_events):
    ctx = PipelineContext.create(input_text="a question that somebody has asked")
    said = {"attributes": {"q": ctx.snapshot.input_text, "password": "x"}, "error": "pwd=abc"}
    redactor = redactor_of_run(ctx, None, {VARIABLE: asked})
    _type, at, data = plain_event(StageEvent(STAGE_TRACED, said), redactor)

    def clean(is_told):
        told = ctx.snapshot.input_text if is_told else "[content]"
        return {"attributes": {"q": told, "password": "[redacted]"}, "error": "pwd=[redacted]"}

    assert data.get(SPAN_CONTENTS, {**data}) == clean(in_spans)
    sunk = event_data(Event(STAGE_TRACED, 1, at, "s", 1, data), {})
    assert {name: sunk[name] for name in ("attributes", "error")} == clean(in_events)
    assert SPAN_CONTENTS not in sunk


def test_an_event_of_a_stages_own_cannot_say_that_it_is_for_spans(monkeypatch):
    ctx = PipelineContext.create(input_text="a question that somebody has asked")
    redactor = redactor_of_run(ctx, None, {VARIABLE: "SPAN_ONLY"})
    told = {SPAN_CONTENTS: {"q": ctx.snapshot.input_text}}
    for type_ in ("own", STAGE_TRACED, "provider.call"):
        _type, at, data = plain_event(StageEvent(type_, told), redactor)
        sunk = event_data(Event(type_, 1, at, "s", 1, data), {})
        assert ctx.snapshot.input_text not in repr(sunk)
