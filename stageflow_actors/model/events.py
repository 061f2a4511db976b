"""``Event``: what happened in a run, in order. Types follow the taxonomy of the README."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from stageflow_actors.model.ancestry import Ancestry
from stageflow_actors.model.frozen import FrozenDict
from stageflow_actors.model.identity import rfc3339
from stageflow_actors.model.snapshot import ContextSnapshot
from stageflow_actors.model.trace import TraceContext


class Event(NamedTuple):
    """One event of one run.

    ``seq`` counts from 1 without gaps, ``at`` is seconds since the Unix epoch, ``stage`` and
    ``attempt`` are set for events of a stage. ``origin`` is set for those of a child run.
    """

    type: str
    seq: int
    at: float
    stage: str | None
    attempt: int | None
    data: Mapping[str, Any]
    origin: EventOrigin | None = None


RUN_ENDS = frozenset({"pipeline.completed", "pipeline.failed", "pipeline.cancelled"})
"""The types of the events that end a run."""

RUN_REFUSED = "pipeline.refused"
"""The type of the only event of a run that was not accepted."""

PROVIDER_CALL = "provider.call"
"""The type of the event that tells of a call of a provider."""

STAGE_TRACED = "stage.traced"
"""The type of the event that tells what a stage has set on its span."""

SPAN_CONTENTS = "span_contents"
"""Data of both for spans alone: what may be told of contents there, if that is not the same."""

_FOR_SPANS = frozenset({PROVIDER_CALL, STAGE_TRACED})

_RUN_EVENTS = RUN_ENDS | {
    RUN_REFUSED,
    "pipeline.created",
    "pipeline.started",
    "pipeline.wide",
    "pipeline.spawned_child",
    "pipeline.child_completed",
    "pipeline.child_failed",
    "pipeline.child_cancelled",
    "stage.wide",
    "stage.error",
}
_STAGE_WORDS = frozenset({".started", ".completed", ".skipped", ".cancelled", ".failed"})

Labels = Mapping[str, str | None]
"""What every event says of its run: its ids, as sinks get them."""

RUN_LABELS = frozenset(
    {
        *("pipeline_run_id", "request_id", "session_id", "user_id", "org_id", "interaction_id"),
        *("topology", "execution_mode", "parent_run_id", "root_run_id"),
        *("trace_id", "span_id", "parent_span_id", "trace_flags"),
    }
)
"""Their names; an event has those that there are."""


def type_from_stage(type_: str, stage: str) -> str:
    """The type of an event that ``stage`` emits, where ``type_`` is what the stage calls it.

    The types by which the runtime tells what becomes of runs and stages are its own: who follows
    a run would take the event for the end of it.
    """
    is_of_stage = type_.startswith("stage.") and type_.startswith(stage, 6)
    if type_ in _RUN_EVENTS or (is_of_stage and type_[6 + len(stage) :] in _STAGE_WORDS):
        return f"emitted.{type_}"
    return type_


class EventOrigin(NamedTuple):
    """The child run of an event, and the event's own number there."""

    labels: Labels
    seq: int


_GUARD = ("attempt",)
_PARENT = ("parent_run_id",)
_OWN_FIELDS = {
    "stage.error": ("execution_mode",),
    "guard_retry.attempt": _GUARD,
    "guard_retry.scheduled": _GUARD,
    "guard_retry.exhausted": _GUARD,
    "pipeline.spawned_child": _PARENT,
    "pipeline.child_completed": _PARENT,
    "pipeline.child_failed": _PARENT,
    "pipeline.child_cancelled": _PARENT,
}
"""Where an event has its own meaning for a field that others have: the mode of failure, not the
application's label; the number of a rejection, not of an attempt; the parent of the child that it
tells of, not of the run that tells it.
"""


def for_readers(event: Event) -> Event:
    """``event`` without what is for spans alone."""
    if event.type not in _FOR_SPANS or SPAN_CONTENTS not in event.data:
        return event
    data = {name: value for name, value in event.data.items() if name != SPAN_CONTENTS}
    return event._replace(data=FrozenDict(data))


def event_data(event: Event, labels: Labels) -> dict[str, Any]:
    """What a sink receives as ``data``: the event's own fields, and ids that none can replace.

    ``labels`` are those of the run; an event of a child has its own.
    """
    type_, seq, at, stage, attempt, own, origin = event
    if origin is not None:
        labels, seq = origin
    data = {**own, **labels, "seq": seq, "timestamp": rfc3339(at)}
    if stage is not None:
        data["stage"] = stage
        data["attempt"] = attempt
    if type_ in _FOR_SPANS:
        data.pop(SPAN_CONTENTS, None)
    for name in _OWN_FIELDS.get(type_, ()):
        data[name] = own.get(name, data.get(name))
    return data


def run_labels(
    snapshot: ContextSnapshot,
    ancestry: Ancestry | None = None,
    trace: TraceContext | None = None,
) -> dict[str, str | None]:
    """Those of a run. A child's say where it comes from, a traced one's where it is in its trace:
    ``span_id`` is that of the run.
    """
    labels = {
        "pipeline_run_id": str(snapshot.pipeline_run_id),
        "request_id": str(snapshot.request_id),
        "session_id": _text(snapshot.session_id),
        "user_id": _text(snapshot.user_id),
        "org_id": _text(snapshot.org_id),
        "interaction_id": _text(snapshot.interaction_id),
        "topology": snapshot.topology,
        "execution_mode": snapshot.execution_mode,
    }
    if ancestry is not None:
        labels["parent_run_id"] = str(ancestry.parent_run_id)
        labels["root_run_id"] = str(ancestry.root_run_id)
    if trace is not None and trace.is_recorded:
        labels["trace_id"] = trace.trace_id
        labels["span_id"] = trace.span_id
        labels["parent_span_id"] = trace.parent_id
        labels["trace_flags"] = f"{int(trace.is_sampled):02x}"
    return labels


def _text(value: object) -> str | None:
    return None if value is None else str(value)
