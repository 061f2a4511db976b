"""One wide event for each stage of a run and one for the run, made of its other events.

Made where the run is held, whatever became of the processes of its stages; where the run itself was
lost, by the handle, of what it has heard.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from stageflow_actors.actors.event_log import EventLog
from stageflow_actors.actors.keyed_receipts import DATA_KEYS
from stageflow_actors.actors.wide_stage import Calls, WideStage
from stageflow_actors.model.events import PROVIDER_CALL, RUN_ENDS, RUN_REFUSED, Event
from stageflow_actors.model.plan import Plan
from stageflow_actors.model.settings import Settings

STAGE_WIDE, PIPELINE_WIDE = "stage.wide", "pipeline.wide"
MOST_DETAILS = 200
"""Stages that ``stage_details`` of one run names; the others are counted."""

_PIECE, _ROUTE = "stream.token", "pipeline.route"
_NOT_STARTED = "not_started"
_NO_FAILURES = frozenset({"ok", "skip"})
_ENDS = RUN_ENDS | {RUN_REFUSED}
"""What a run ends with: the last event that there is of it."""


def open_log(plan: Plan, settings: Settings) -> EventLog:
    """The log of a run; it has wide events, if they are wanted."""
    if settings.wide_events:
        return WideEventLog(plan, settings.max_events_per_run)
    return EventLog(settings.max_events_per_run)


def told_widely(plan: Plan, seen: Sequence[Event], ends: Sequence[Event]) -> Sequence[Event]:
    """``ends``, which end a run that could not do so itself, with the wide events before them.

    ``seen`` are the run's own events so far. What had begun, and has no end there, was lost.
    """
    if not ends:
        return ends
    log = WideEventLog(plan, max_events=1)
    log.replay(seen, ends[0].seq)
    for event in ends:
        log.append(event.type, event.at, None, None, event.data)
    return log.take()


class WideEventLog(EventLog):
    """Follows each stage, and tells of it once it has ended for good.

    One that a guard may still have repeated is told of when that guard has ended, too. Before the
    last event of the run comes that of the run, and before it what has not been told by then.
    """

    __slots__ = (
        "_completed",
        "_guards",
        "_is_told",
        "_plan",
        "_regions",
        "_stages",
        "_started_at",
    )

    def __init__(self, plan: Plan, max_events: int) -> None:
        super().__init__(max_events)
        self._plan = plan
        self._stages: dict[str, WideStage] = {}
        self._started_at: float | None = None
        self._is_told = False
        self._completed: tuple[WideStage, float] | None = None
        self._regions = dict(plan.guards)
        self._guards: dict[str, list[str]] = {}
        for guard, region in plan.guards:
            for name in region:
                if name != guard:
                    self._guards.setdefault(name, []).append(guard)

    def append(
        self, type_: str, at: float, stage: str | None, attempt: int | None, data: Mapping[str, Any]
    ) -> None:
        if self._completed is not None and type_ != _ROUTE:
            self._settle_completed()
        if stage is None:
            if self._started_at is None:
                self._started_at = at
            if type_ in _ENDS:
                self._tell_run(at, data)
            EventLog.append(self, type_, at, stage, attempt, data)
            return
        if type_ == DATA_KEYS:
            self._of(stage).note_keys(data[DATA_KEYS])
            return
        EventLog.append(self, type_, at, stage, attempt, data)
        self._follow(type_, at, stage, attempt, data)

    def append_from_stage(
        self, type_: str, at: float, stage: str, attempt: int, data: Mapping[str, Any]
    ) -> None:
        # What is dropped counts here, too. A stage may call its events what it likes.
        if type_ == PROVIDER_CALL:
            self._of(stage).note_call(data.get("attributes"))
        elif type_ == _PIECE:
            self._of(stage).pieces += 1
        if len(self._events) >= self._max_events:
            self.dropped += 1
        else:
            EventLog.append(self, type_, at, stage, attempt, data)

    def notify(self) -> None:
        self._settle_completed()
        super().notify()

    def replay(self, events: Sequence[Event], next_seq: int) -> None:
        """Know what these have told, and go on with that number."""
        told = {event.stage for event in events if event.type == STAGE_WIDE}
        for type_, _seq, at, stage, attempt, data, _origin in events:
            if type_ == PIPELINE_WIDE:
                self._is_told = True
            elif stage is not None and type_ in (PROVIDER_CALL, _PIECE):
                self.append_from_stage(type_, at, stage, attempt or 1, data)
            elif type_ != STAGE_WIDE:
                self.append(type_, at, stage, attempt, data)
        self._completed = None
        for each in self._stages.values():
            each.is_told = each.name in told
        self.take()
        self._seq, self.dropped = next_seq - 1, 0

    def _of(self, name: str) -> WideStage:
        stage = self._stages.get(name)
        if stage is None:
            stage = self._stages[name] = WideStage(name)
        return stage

    def _follow(
        self, type_: str, at: float, name: str, attempt: int | None, data: Mapping[str, Any]
    ) -> None:
        word = type_.rpartition(".")[2]
        if word == "started":
            self._of(name).begin(at, attempt)
        elif word in _FINAL_WORDS:
            stage = self._of(name)
            stage.end(at, attempt, data)
            if word == "completed":
                self._completed = stage, at  # where it has sent the run comes in another event
            elif word != "failed":  # and so does what is done about it
                self._settle(stage, at)
        else:
            note = _NOTES.get(type_) or _NOTES.get(type_[: -len(word)])
            if note is not None:
                note(self, self._of(name), word, at, data)

    def _fail(self, stage: WideStage, _word: str, at: float, data: Mapping[str, Any]) -> None:
        stage.fail(at, data)
        if stage.has_ended:
            self._settle(stage, at)

    def _reject(self, stage: WideStage, _word: str, _at: float, _data: Mapping[str, Any]) -> None:
        for name in self._regions.get(stage.name, ()):
            known = self._stages.get(name)
            if known is not None and known is not stage:
                known.reject()

    def _settle_completed(self) -> None:
        if self._completed is not None:
            (stage, at), self._completed = self._completed, None
            self._settle(stage, at)

    def _settle(self, stage: WideStage, at: float) -> None:
        """Tell of a stage that has ended, unless a guard may have it repeated."""
        guards = self._guards.get(stage.name, ()) if self._guards else ()
        if stage.is_told or not stage.has_ended or not all(map(self._is_over, guards)):
            return
        self._tell(stage, at)
        for name in self._regions.get(stage.name, ()):
            held = self._stages.get(name)
            if held is not None:
                self._settle(held, at)

    def _is_over(self, guard: str) -> bool:
        known = self._stages.get(guard)
        return known is not None and known.is_told

    def _tell(self, stage: WideStage, at: float) -> None:
        stage.is_told = True
        told = stage.told(self._plan)
        EventLog.append(self, STAGE_WIDE, at, stage.name, stage.attempt, told)

    def _tell_run(self, at: float, end: Mapping[str, Any]) -> None:
        if self._is_told:
            return
        self._is_told = True
        for stage in self._stages.values():
            if not stage.is_told:
                self._tell(stage, at)
        EventLog.append(self, PIPELINE_WIDE, at, None, None, self._told(at, end))

    def _told(self, at: float, end: Mapping[str, Any]) -> dict[str, Any]:
        stages, names = self._stages, self._plan.stage_names
        counts: dict[str, int] = {}
        calls, retries, pieces, children = Calls(), 0, 0, 0
        for stage in stages.values():
            counts[stage.status] = counts.get(stage.status, 0) + 1
            retries += stage.retries
            pieces += stage.pieces
            if stage.calls is not None:
                calls.add(stage.calls)
            if stage.children is not None:
                children += stage.children.get("spawned_child", 0)
        if len(names) > len(stages):
            counts[_NOT_STARTED] = len(names) - len(stages)
        started_at = at if self._started_at is None else self._started_at
        return {
            "pipeline_name": self._plan.name,
            "status": end.get("status", "failed"),
            "started_at": started_at,
            "ended_at": at,
            "duration_ms": end.get("duration_ms", max(0, int((at - started_at) * 1000))),
            "deciding_stage": end.get("deciding_stage"),
            "reason": end.get("reason"),
            "code": end.get("code"),
            "stage_counts": counts,
            "stage_details": tuple(map(self._detail, self._detailed(names))),
            "stage_details_left_out": max(0, len(names) - MOST_DETAILS),
            "retries": retries,
            **calls.told(),
            "children": children,
            "pieces": pieces,
            "events_dropped": self.dropped,
        }

    def _detailed(self, names: Sequence[str]) -> Sequence[str]:
        """The stages that are named: in their order; if not all are, what went wrong before all."""
        if len(names) <= MOST_DETAILS:
            return names
        stages = self._stages
        bad = [name for name in names if name in stages and stages[name].status not in _NO_FAILURES]
        chosen = set(bad[:MOST_DETAILS])
        for name in names:
            if len(chosen) >= MOST_DETAILS:
                break
            chosen.add(name)
        return [name for name in names if name in chosen]

    def _detail(self, name: str) -> dict[str, Any]:
        stage = self._stages.get(name)
        if stage is None:
            return {"name": name, "status": _NOT_STARTED, "attempts": 0, "duration_ms": 0}
        return {
            "name": name,
            "status": stage.status,
            "attempts": stage.attempts,
            "duration_ms": int(stage.work_s * 1000),
        }


def _note_child(
    _log: WideEventLog, stage: WideStage, word: str, _at: float, _data: Mapping[str, Any]
) -> None:
    stage.note_child(word)


def _note_route(
    _log: WideEventLog, stage: WideStage, _word: str, _at: float, data: Mapping[str, Any]
) -> None:
    stage.note_route(data.get("selected_route"))


def _note_answer(
    _log: WideEventLog, stage: WideStage, _word: str, _at: float, _data: Mapping[str, Any]
) -> None:
    stage.answered = True


def _note_breaker(
    _log: WideEventLog, stage: WideStage, word: str, _at: float, _data: Mapping[str, Any]
) -> None:
    stage.note_breaker(word)


_Note = Callable[[WideEventLog, WideStage, str, float, Mapping[str, Any]], None]
_FINAL_WORDS = frozenset({"completed", "skipped", "cancelled", "failed"})
_NOTES: Mapping[str, _Note] = MappingProxyType(
    {
        "stage.error": WideEventLog._fail,
        "stage.answered": _note_answer,
        "guard_retry.scheduled": WideEventLog._reject,
        _ROUTE: _note_route,
        "pipeline.spawned_child": _note_child,
        "pipeline.child_completed": _note_child,
        "pipeline.child_failed": _note_child,
        "pipeline.child_cancelled": _note_child,
        "circuit_breaker.": _note_breaker,
    }
)
