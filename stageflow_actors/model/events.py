"""``Event``: what happened in a run, in order. Types follow the taxonomy of the README."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from stageflow_actors.model.ancestry import Ancestry
from stageflow_actors.model.snapshot import ContextSnapshot


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


class EventOrigin(NamedTuple):
    """The child run of an event: its ids as sinks get them, and the event's own number there."""

    labels: Mapping[str, str | None]
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


def event_data(event: Event, snapshot: ContextSnapshot) -> dict[str, Any]:
    """What a sink receives as ``data``: the event's own fields, and ids that none can replace."""
    origin = event.origin or EventOrigin(run_labels(snapshot), event.seq)
    data = {
        **event.data,
        **origin.labels,
        "seq": origin.seq,
        "timestamp": datetime.fromtimestamp(event.at, UTC).isoformat(),
    }
    if event.stage is not None:
        data["stage"] = event.stage
        data["attempt"] = event.attempt
    for name in _OWN_FIELDS.get(event.type, ()):
        data[name] = event.data.get(name, data[name])
    return data


def run_labels(
    snapshot: ContextSnapshot, ancestry: Ancestry | None = None
) -> dict[str, str | None]:
    """What every event says of its run; that of a child says where it comes from, too."""
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
    return labels


def _text(value: object) -> str | None:
    return None if value is None else str(value)
