"""``Progress``: what is known of a run from the events so far."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from stageflow_actors.model.events import Event

ROUTE_TAKEN = "pipeline.route"
"""The type of the event that says which route a router took."""


class Step(StrEnum):
    """Where a stage is. The values are those of the stages' events."""

    WAITING = "waiting"
    STARTED = "started"
    COMPLETED = "completed"
    SKIPPED = "skipped"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class StageProgress:
    """One stage: where it is, since when (seconds since the Unix epoch), what there is to say."""

    name: str
    step: Step = Step.WAITING
    started_at: float | None = None
    ended_at: float | None = None
    note: str = ""

    @property
    def seconds(self) -> float | None:
        """How long it worked; ``None`` while it works and if it never did."""
        if self.started_at is None or self.ended_at is None:
            return None
        return self.ended_at - self.started_at


class Progress:
    """The stages of one run, and when it began."""

    def __init__(self, stages: Iterable[str]) -> None:
        self.stages = {name: StageProgress(name) for name in stages}
        self.began_at: float | None = None

    def note(self, event: Event) -> StageProgress | None:
        """Take an event in; the stage that it changed, if it is about one."""
        if self.began_at is None:
            self.began_at = event.at
        known = self.stages.get(event.stage or "")
        if known is None:
            return None
        changed = _changed(known, event)
        if changed is not None:
            self.stages[known.name] = changed
        return changed

    def count(self, *steps: Step) -> int:
        """How many stages are at one of ``steps``."""
        return sum(stage.step in steps for stage in self.stages.values())


def _changed(stage: StageProgress, event: Event) -> StageProgress | None:
    if event.type == ROUTE_TAKEN:
        return _with_note(stage, f"took route '{event.data.get('selected_route', '?')}'")
    prefix = f"stage.{stage.name}."
    action = event.type.removeprefix(prefix)
    if not event.type.startswith(prefix) or action not in set(Step) - {Step.WAITING}:
        return None  # an event of the stage's own
    step = Step(action)
    if step is Step.STARTED:
        return StageProgress(stage.name, step, event.at, None, stage.note)
    note = str(event.data.get("error") or event.data.get("reason") or stage.note)
    return StageProgress(stage.name, step, stage.started_at, event.at, note)


def _with_note(stage: StageProgress, note: str) -> StageProgress:
    return StageProgress(stage.name, stage.step, stage.started_at, stage.ended_at, note)
