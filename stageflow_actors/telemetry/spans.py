"""``SpanWriter``: the spans of runs, made of their stories.

A span is made when what it tells of is over, by the process that holds the run: so an attempt whose
process was killed has its span like any other, and a stage's process sends none of them. Its id is
known beforehand to whoever works below it (``attempt_span_id``). The API cannot give a span an id:
that is why spans are made of a class of the SDK's, and handed to its processor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import Event
from opentelemetry.sdk.trace import Tracer as SdkTracer
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanKind

from stageflow_actors.model.events import SPAN_CONTENTS, STAGE_TRACED
from stageflow_actors.model.trace import attempt_span_id
from stageflow_actors.providers import semconv
from stageflow_actors.story.parts import Attempt, Note, Outcome, ProviderCall
from stageflow_actors.story.story import RunStory, mapping_of
from stageflow_actors.telemetry.attributes import AttributeValue, attributes_of, text_of, value_of
from stageflow_actors.telemetry.error_types import error_type_of_attempt, error_type_of_run
from stageflow_actors.telemetry.instruments import SCOPE
from stageflow_actors.telemetry.run_span import Dropped, RunSpan

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

_NONE: Mapping[str, AttributeValue] = MappingProxyType({})
_NS = 1_000_000_000
_LATEST_S = 9e9
"""Seconds since the Unix epoch: in nanoseconds it still fits 64 bits."""
_MOST_DROPPED = 2**32
"""What is as large does not fit its field."""
_TOLD = ("reason", "error", "action_taken", "delay_ms", "route", "attempts", "ignored")
"""What an event of a span says of what the runtime noted: never what a stage has to say itself."""
_RUNTIME_NOTES = frozenset(
    {
        "stage.retry_scheduled",
        "stage.retry_exhausted",
        "stage.retry_after_ignored",
        "stage.answered",
        "guard_retry.attempt",
        "guard_retry.scheduled",
        "guard_retry.exhausted",
    }
)


class SpanWriter:
    """Writes to one provider, which has to be of the SDK.

    Raises:
        TypeError: the provider's tracers take no finished spans.
    """

    def __init__(self, provider: TracerProvider) -> None:
        tracer = provider.get_tracer(SCOPE)
        if not isinstance(tracer, SdkTracer):
            raise TypeError(f"{type(provider).__name__} is no tracer provider of the SDK.")
        self._finish = tracer.span_processor.on_end
        self._resource = tracer.resource
        self._scope = InstrumentationScope(SCOPE)
        self._latest: tuple[RunStory, _Ids | None] | None = None

    def attempt_closed(self, story: RunStory, attempt: Attempt) -> None:
        """Of an attempt, linked to those that it waited for, and of the calls that it made."""
        run = self._ids_of(story)
        if run is None or not attempt.number:
            return
        own = run.attempt(attempt.stage, attempt.number)
        said = _Said(attempt) if attempt.notes else None
        error, error_type = _error(attempt), error_type_of_attempt(attempt)
        attributes = {} if said is None else said.attributes_beside(run.attributes)
        attributes["stageflow.stage.name"] = text_of(attempt.stage)
        attributes["stageflow.attempt.number"] = value_of(attempt.number)
        attributes["stageflow.attempt.outcome"] = attempt.outcome.value
        attributes["stageflow.attempt.queue_s"] = attempt.waited_s
        status, reason = attempt.data.get("status"), attempt.data.get("reason")
        if status is not None and status != "ok":
            attributes["stageflow.attempt.status"] = value_of(status)
        if reason is not None:
            attributes["stageflow.reason"] = value_of(reason)
        if error_type is not None:
            attributes[semconv.ERROR_TYPE] = text_of(error_type)
        self._write(
            f"stageflow.stage {attempt.stage}",
            SpanKind.INTERNAL,
            run.trace_id,
            own,
            run.own,
            attempt.started_at,
            attempt.ended_at or attempt.closed_at,
            attributes,
            shared=run.attributes,
            dropped=None if said is None else said.dropped,
            linked_ids=run.linked_ids(story, attempt),
            events=() if said is None and error is None else _events(attempt, said, error),
            error=error or (None if said is None else said.error),
        )
        for number, call in enumerate(attempt.calls):
            self._call(run, own, number, call)

    def run_ended(self, story: RunStory) -> None:
        """Of a run; stages that it passed by are events of it."""
        run, self._latest = self._ids_of(story), None
        if run is None or story.ended_at is None:
            return
        error_type = error_type_of_run(story)
        passed_by = [each for each in story.attempts if not each.number]
        self._write(
            f"{semconv.OPERATION_INVOKE_WORKFLOW} {story.pipeline}",
            SpanKind.INTERNAL,
            run.trace_id,
            run.own,
            run.parent,
            story.created_at or story.ended_at,
            story.ended_at,
            attributes_of(
                {
                    semconv.GEN_AI_OPERATION_NAME: semconv.OPERATION_INVOKE_WORKFLOW,
                    semconv.GEN_AI_WORKFLOW_NAME: story.pipeline,
                    semconv.SESSION_ID: story.labels.get("session_id"),
                    "stageflow.run.id": story.run_id,
                    "stageflow.run.status": story.status,
                    "stageflow.run.deciding_stage": story.deciding_stage,
                    "stageflow.run.execution_mode": story.labels.get("execution_mode"),
                    "stageflow.request.id": story.labels.get("request_id"),
                    "stageflow.reason": story.reason if error_type is None else None,
                    semconv.ERROR_TYPE: error_type,
                }
            ),
            events=[
                *(_skip_event(each) for each in passed_by),
                *(_event(note) for note in story.notes if note.type == "pipeline.route"),
            ],
            error=None if error_type is None else story.reason or "",
        )

    def noted(self, story: RunStory, note: Note) -> None:
        """It is told with what it belongs to."""

    def _ids_of(self, story: RunStory) -> _Ids | None:
        """Looked up once for events of one run that come together, as most of them do."""
        latest = self._latest
        if latest is None or latest[0] is not story:
            latest = self._latest = story, _Ids.of(story)
        return latest[1]

    def _call(self, run: _Ids, parent: str, number: int, call: ProviderCall) -> None:
        attributes = call.attributes
        operation = attributes.get(semconv.GEN_AI_OPERATION_NAME) or "call"
        model = attributes.get(semconv.GEN_AI_REQUEST_MODEL) or ""
        named = f"{parent}/call/{number}".encode()
        self._write(
            f"{operation} {model}".rstrip(),
            SpanKind.CLIENT,
            run.trace_id,
            blake2b(named, digest_size=8).hexdigest(),
            parent,
            call.started_at,
            call.ended_at,
            attributes_of({**attributes, **call.contents}),
        )

    def _write(
        self,
        name: str,
        kind: SpanKind,
        trace_id: str,
        span_id: str,
        parent_id: str | None,
        started_at: float,
        ended_at: float | None,
        attributes: dict[str, AttributeValue],
        *,
        shared: Mapping[str, AttributeValue] = _NONE,
        dropped: Dropped | None = None,
        linked_ids: Sequence[str] = (),
        events: Sequence[Event] = (),
        error: str | None = None,
    ) -> None:
        self._finish(
            RunSpan(
                text_of(name),
                kind,
                trace_id,
                span_id,
                parent_id,
                _ns(started_at),
                _ns(max(started_at, ended_at or started_at)),
                shared,
                attributes,
                dropped,
                events,
                linked_ids,
                None if error is None else text_of(error),
                self._resource,
                self._scope,
            )
        )


class _Ids:
    """Where a run is in its trace, by the labels of its events, and what all its attempts say."""

    __slots__ = ("_attempts", "attributes", "own", "parent", "trace_id")

    def __init__(self, story: RunStory) -> None:
        labels = story.labels
        self.trace_id: str = labels["trace_id"]
        self._attempts: dict[tuple[str, int], str] = {}
        self.own: str = labels["span_id"]
        self.parent: str | None = labels.get("parent_span_id")
        self.attributes: dict[str, AttributeValue] = {
            "stageflow.pipeline.name": text_of(story.pipeline),
            "stageflow.run.id": text_of(story.run_id),
        }

    @classmethod
    def of(cls, story: RunStory) -> _Ids | None:
        """``None`` for a run without spans."""
        labels = story.labels
        is_sampled = labels.get("trace_id") and labels.get("trace_flags") == "01"
        return cls(story) if is_sampled else None

    def attempt(self, stage: str, number: int) -> str:
        """That of an attempt, which those that waited for it are linked to."""
        known = self._attempts.get((stage, number))
        if known is None:
            known = self._attempts[stage, number] = attempt_span_id(self.own, stage, number)
        return known

    def linked_ids(self, story: RunStory, attempt: Attempt) -> Sequence[str]:
        """Those of the last attempt of each stage that was waited for, if it had one."""
        awaited = (*attempt.dependencies, *attempt.after)
        if not awaited:
            return ()
        numbered = [(stage, story.last_number(stage)) for stage in awaited]
        return [self.attempt(stage, number) for stage, number in numbered if number]


class _Said:
    """What the stage has set on its span itself."""

    __slots__ = ("_attributes", "dropped", "error", "events")

    def __init__(self, attempt: Attempt) -> None:
        told = next((note.data for note in attempt.notes if note.type == STAGE_TRACED), {})
        told = mapping_of(told.get(SPAN_CONTENTS, told))  # spans may say more than events, or less
        attributes, error, events = map(told.get, ("attributes", "error", "events"))
        self._attributes = mapping_of(attributes)
        dropped = Dropped(*map(_count, map(told.get, ("dropped_attributes", "dropped_events"))))
        self.dropped = dropped if any(dropped) else None
        self.error: str | None = error if error is None else text_of(error)
        listed = events if isinstance(events, (list, tuple)) else ()
        self.events = [_said_event(each) for each in listed if isinstance(each, Mapping)]

    def attributes_beside(self, known: Mapping[str, Any]) -> dict[str, AttributeValue]:
        """Those that the runtime does not set itself."""
        said = attributes_of(self._attributes)
        return {name: value for name, value in said.items() if name not in known}


def _count(dropped: Any) -> int:
    return dropped if type(dropped) is int and 0 < dropped < _MOST_DROPPED else 0


def _said_event(told: Mapping[str, Any]) -> Event:
    """Whatever a stage may have made of it."""
    at: Any = told.get("at")
    is_time = type(at) is float or type(at) is int
    return Event(
        text_of(told.get("name")),
        attributes_of(mapping_of(told.get("attributes"))),
        _ns(at if is_time else 0.0),
    )


def _ns(at: float) -> int:
    """Nanoseconds, as exporters can encode them: one that could not would lose all of a batch."""
    return int(min(max(0.0, at), _LATEST_S) * _NS)


def _events(attempt: Attempt, said: _Said | None, error: str | None) -> list[Event]:
    """What the runtime noted, what the stage says, and what a failed attempt ended with."""
    events = [_event(note) for note in attempt.notes if note.type in _RUNTIME_NOTES]
    if said is not None:
        events += said.events
    if error is not None:
        told = {"exception.type": error_type_of_attempt(attempt), "exception.message": error}
        events.append(Event("exception", attributes_of(told), _ns(attempt.closed_at or 0.0)))
    return events


def _error(attempt: Attempt) -> str | None:
    if attempt.outcome is Outcome.LOST:
        return "Its run was lost."
    is_bad = attempt.outcome.is_failure or attempt.outcome is Outcome.REJECTED
    return str(attempt.data.get("error") or "") if is_bad else None


def _event(note: Note) -> Event:
    told = {name: note.data[name] for name in _TOLD if name in note.data}
    return Event(note.type, attributes_of(told), _ns(note.at))


def _skip_event(attempt: Attempt) -> Event:
    told = {"stageflow.stage.name": attempt.stage, "reason": attempt.data.get("reason")}
    return Event("stage.skipped", attributes_of(told), _ns(attempt.started_at))
