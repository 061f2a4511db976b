"""``RunStory``: one run, told by its events one after the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from stageflow_actors.model.events import PROVIDER_CALL, RUN_ENDS, RUN_LABELS, SPAN_CONTENTS
from stageflow_actors.story.parts import Attempt, Child, Note, Outcome, ProviderCall

_MOST_NOTES = 10_000
"""Of one story: a stage may tell any number of things."""
_STAGE_ENDS = MappingProxyType(
    {
        "completed": Outcome.COMPLETED,
        "skipped": Outcome.SKIPPED,
        "cancelled": Outcome.CANCELLED,
        "failed": Outcome.FAILED,
    }
)
_ACTIONS = MappingProxyType({"retry": Outcome.RETRIED, "guard_retry": Outcome.REJECTED})
_CHILD_ENDS = frozenset(
    {"pipeline.child_completed", "pipeline.child_failed", "pipeline.child_cancelled"}
)
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_MOST = 10**300
"""What is larger is no time."""

Part = Attempt | ProviderCall | Child | Note
"""What an event of a run may tell of, besides the run itself."""


class RunStory:
    """What is known of one run so far. Times are seconds since the Unix epoch.

    ``labels`` is what every event says of its run, ``status`` that of its end, once it has ended;
    ``lost`` are the attempts whose end was not told by then.
    Events of a run come in their order; one that came before is not taken again. Some may be
    missing: what was dropped on the way is not told.
    """

    __slots__ = (
        "_numbers",
        "_open",
        "_seq",
        "attempts",
        "children",
        "created_at",
        "deciding_stage",
        "ended_at",
        "labels",
        "lost",
        "notes",
        "reason",
        "run_id",
        "started_at",
        "status",
    )

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.labels: Mapping[str, Any] = {}
        self.created_at: float | None = None
        self.started_at: float | None = None
        self.ended_at: float | None = None
        self.status: str | None = None
        self.reason: str | None = None
        self.deciding_stage: str | None = None
        self.attempts: list[Attempt] = []
        self.children: dict[str, Child] = {}
        self.notes: list[Note] = []
        self.lost: tuple[Attempt, ...] = ()
        self._open: dict[str, Attempt] = {}
        self._numbers: dict[str, int] = {}
        self._seq = 0

    @property
    def pipeline(self) -> str:
        """Its name, as events tell it."""
        return str(self.labels.get("topology") or "")

    @property
    def has_ended(self) -> bool:
        """Whether its end was told."""
        return self.status is not None

    def open_attempt(self, stage: str) -> Attempt | None:
        """The attempt of ``stage`` that goes on."""
        return self._open.get(stage)

    def take(self, type_: str, data: Mapping[str, Any]) -> Part | None:
        """What this event has told of; ``None``: of the run itself, or nothing new."""
        at = datetime.fromisoformat(data["timestamp"]).timestamp()
        seq = data.get("seq") or 0
        labels = self.labels or {name: data[name] for name in RUN_LABELS & data.keys()}
        return self.tell(type_, seq, at, data.get("stage"), data.get("attempt"), data, labels)

    def tell(
        self,
        type_: str,
        seq: int,
        at: float,
        stage: str | None,
        attempt: int | None,
        data: Mapping[str, Any],
        labels: Mapping[str, Any],
    ) -> Part | None:
        """The same of an event as the runtime has it; ``labels`` are those of its run."""
        if seq:
            if seq <= self._seq:
                return None
            self._seq = seq
        self.labels = self.labels or labels
        run_event = _RUN_EVENTS.get(type_)
        if run_event is not None and stage is None:
            run_event(self, at, data)
            return None
        told = None if stage is None else self._of_stage(type_, at, stage, attempt, data)
        if told is not None:
            return told
        if type_ == "pipeline.spawned_child":
            return self._spawn(at, stage, attempt or 1, data)
        if type_ in _CHILD_ENDS:
            return self._child_end(at, data)
        return self._note(type_, at, stage, attempt, data)

    def _of_stage(
        self, type_: str, at: float, stage: str, number: int | None, data: Mapping[str, Any]
    ) -> Part | None:
        if type_ == "stage.error":
            return self._fail(stage, at, number, data)
        if type_ == PROVIDER_CALL:
            return self._call(stage, at, number or 1, data)
        if not (type_.startswith("stage.") and type_.startswith(stage, 6)):
            return None
        word = type_[len(stage) + 7 :]
        if word == "started":
            return self._begin(stage, at, number or 1, data)
        outcome = _STAGE_ENDS.get(word)
        return None if outcome is None else self._close(stage, at, outcome, data)

    def last_number(self, stage: str) -> int:
        """That of the last attempt of ``stage`` so far; 0: it had none."""
        return self._numbers.get(stage, 0)

    def lose(self, at: float, reason: str) -> None:
        """Take note that the run was lost, and what it had with it."""
        if self.status is None:
            self._end(at, {"status": "failed", "reason": reason, "deciding_stage": None})

    def _create(self, at: float, _data: Mapping[str, Any]) -> None:
        self.created_at = at

    def _start(self, at: float, _data: Mapping[str, Any]) -> None:
        self.started_at = at

    def _end(self, at: float, data: Mapping[str, Any]) -> None:
        self.ended_at = at
        self.status = str(data.get("status") or "failed")
        self.reason = data.get("reason")
        self.deciding_stage = data.get("deciding_stage")
        self.lost = tuple(self._open.values())
        for attempt in self.lost:
            attempt.closed_at, attempt.outcome = at, Outcome.LOST
        self._open.clear()

    def _begin(self, stage: str, at: float, number: int, data: Mapping[str, Any]) -> Attempt:
        attempt = Attempt(
            stage,
            number,
            at,
            _names(data.get("dependencies")),
            _names(data.get("after")),
        )
        self.attempts.append(attempt)
        self._open[stage] = attempt
        self._numbers[stage] = attempt.number
        return attempt

    def _close(
        self, stage: str, at: float, outcome: Outcome, data: Mapping[str, Any]
    ) -> Attempt | None:
        attempt = self._open.pop(stage, None)
        if attempt is None:
            return self._close_unopened(stage, at, outcome, data)
        attempt.outcome, attempt.closed_at, attempt.data = outcome, at, data
        attempt.began_at, attempt.ended_at = (
            _number(data.get("began_at")),
            _number(data.get("ended_at")),
        )
        return attempt

    def _close_unopened(
        self, stage: str, at: float, outcome: Outcome, data: Mapping[str, Any]
    ) -> Attempt | None:
        """A stage that never began is skipped; one that waited to be retried is given up."""
        if outcome is not Outcome.SKIPPED:
            return None
        passed_by = Attempt(stage, 0, at, closed_at=at, outcome=outcome, data=data)
        self.attempts.append(passed_by)
        return passed_by

    def _fail(
        self, stage: str, at: float, number: int | None, data: Mapping[str, Any]
    ) -> Attempt | Note:
        """Of every failure there is such an event; of a last one, another one before."""
        outcome = _ACTIONS.get(str(data.get("action_taken")), Outcome.FAILED)
        closed = self._close(stage, at, outcome, data)
        return closed or self._note("stage.error", at, stage, number, data)

    def _note(
        self,
        type_: str,
        at: float,
        stage: str | None,
        number: int | None,
        data: Mapping[str, Any],
    ) -> Note:
        note = Note(type_, at, stage, number, data)
        if len(self.notes) >= _MOST_NOTES:
            return note
        self.notes.append(note)
        attempt = None if stage is None else self._open.get(stage)
        if attempt is not None:
            attempt.add_note(note)
        return note

    def _call(self, stage: str, at: float, number: int, data: Mapping[str, Any]) -> ProviderCall:
        """A stage may say anything of a call."""
        latency_s = (_number(data.get("latency_ms")) or 0.0) / 1000
        attributes, contents = (
            mapping_of(data.get("attributes")),
            mapping_of(data.get(SPAN_CONTENTS)),
        )
        call = ProviderCall(stage, number, at - latency_s, at, attributes, contents)
        attempt = self._open.get(stage)
        if attempt is not None:
            attempt.add_call(call)
        return call

    def _spawn(self, at: float, stage: str | None, number: int, data: Mapping[str, Any]) -> Child:
        child = Child(
            str(data.get("child_run_id")),
            str(data.get("pipeline_name") or ""),
            str(stage or data.get("parent_stage_id") or ""),
            number,
            at,
        )
        self.children[child.run_id] = child
        return child

    def _child_end(self, at: float, data: Mapping[str, Any]) -> Child | None:
        child = self.children.get(str(data.get("child_run_id")))
        if child is not None:
            child.ended_at, child.status = at, data.get("status")
        return child


def _number(value: Any) -> float | None:
    """A finite one, or nothing."""
    is_number = type(value) is float or (type(value) is int and abs(value) < _MOST)
    return float(value) if is_number and math.isfinite(value) else None


def _names(value: Any) -> tuple[str, ...]:
    if type(value) is tuple:  # as the runtime has it
        return value
    return tuple(map(str, value)) if isinstance(value, list) else ()


def mapping_of(value: Any) -> Mapping[str, Any]:
    """``value``, where it is one: whoever made the event may have put anything there."""
    return value if isinstance(value, Mapping) else _NOTHING


_RUN_EVENTS: Mapping[str, Callable[[RunStory, float, Mapping[str, Any]], None]] = MappingProxyType(
    {
        "pipeline.created": RunStory._create,
        "pipeline.started": RunStory._start,
        **dict.fromkeys(RUN_ENDS, RunStory._end),
    }
)


def stories_of(events: Any) -> dict[str, RunStory]:
    """The stories that recorded events tell, by the ids of their runs, in the order they began.

    An event is anything with ``type`` and ``data``. Those that belong to no run tell nothing.
    """
    stories: dict[str, RunStory] = {}
    for event in events:
        run_id = event.data.get("pipeline_run_id")
        if run_id is None:
            continue
        story = stories.get(run_id)
        if story is None:
            story = stories[run_id] = RunStory(run_id)
        story.take(event.type, event.data)
        if event.type in _CHILD_ENDS:
            _lose_child(stories, event.data, story)
    return stories


def _lose_child(stories: Mapping[str, RunStory], data: Mapping[str, Any], parent: RunStory) -> None:
    """A child whose own end nobody told was lost with its supervisor."""
    child = stories.get(str(data.get("child_run_id")))
    known = parent.children.get(str(data.get("child_run_id")))
    if child is not None and known is not None and known.ended_at is not None:
        child.lose(known.ended_at, str(data.get("error_message") or "it was lost"))
