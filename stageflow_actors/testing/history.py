"""``History``: what happened in one simulated run, as somebody outside the engine sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, NamedTuple

from stageflow_actors.engine.facts import Ending, FailureHint, Signal, Timer
from stageflow_actors.model.plan import Plan, StagePlan
from stageflow_actors.model.settings import Settings
from stageflow_actors.testing.faults import FaultKind

_UNSAID: tuple[object, ...] = (None, (), frozenset(), False)


class What(StrEnum):
    """The kind of a record."""

    ACCEPTED = "accepted"
    CANCEL_ASKED = "cancel asked"
    ESCALATED = "escalated"
    """The supervisor gave up."""
    STARTED = "started"
    BEGUN_AHEAD = "begun ahead"
    """A process has begun the stage without being asked to."""
    EFFECT = "effect"
    """The body wrote something to the world outside."""
    BODY_OVER = "body over"
    """The body has really ended, or its process is dead; nobody may know of it yet."""
    END_TOLD = "end told"
    """The engine is told how an attempt ended, for the first time or again."""
    STOP_HEARD = "stop heard"
    TOLD_TO_STOP = "told to stop"
    KILLED = "killed"
    SKIPPED = "skipped"
    FELL_BACK = "fell back"
    FORGOTTEN = "forgotten"
    ARMED = "armed"
    FIRED = "fired"
    DISARMED = "disarmed"
    EVENT = "event"
    VERDICT = "verdict"


class Record(NamedTuple):
    """One thing that happened. ``at`` is virtual time in seconds; ``tick`` counts ticks, from 1.

    ``stage`` is an index, -1 for the whole run. ``text`` is a reason, the type of an event or the
    status of a verdict, and ``data`` the rest of those two. ``seconds`` is what a timer was armed
    with, ``is_alone`` says that an attempt was started in a process of its own, and ``ahead`` which
    stages the end of another one says to have begun after it. The facts of a tick stand before what
    the engine commanded on them.
    """

    what: What
    at: float
    tick: int
    stage: int = -1
    attempt: int = 0
    text: str = ""
    ending: Ending | None = None
    hint: FailureHint | None = None
    signal: Signal | None = None
    timer: Timer | None = None
    seconds: float = 0.0
    data: Mapping[str, Any] | None = None
    is_alone: bool = False
    ahead: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class History:
    """One run. ``faults`` counts what went wrong in it, by kind.

    ``crash`` is what the engine raised, if it did; ``is_cut_short`` says that the run was given up
    after more steps than any run may need. ``hosts`` are the stages of each process of several.
    """

    seed: int
    plan: Plan
    settings: Settings
    limit_s: float | None
    records: tuple[Record, ...]
    faults: Mapping[FaultKind, int] = field(default_factory=dict)
    crash: str | None = None
    is_cut_short: bool = False
    hosts: tuple[frozenset[int], ...] = ()

    def story(self) -> str:
        """The run for a reader: its stages, then one line per record."""
        own = self.settings.model_dump(exclude_defaults=True)
        hosts = [sorted(host) for host in self.hosts]
        lines = [f"seed {self.seed}, limit {self.limit_s} s, settings {own}, together {hosts}"]
        lines += [f"  {index}: {_shown(stage)}" for index, stage in enumerate(self.plan.stages)]
        lines += [self._line(record) for record in self.records]
        if self.crash is not None:
            lines.append(f"the engine raised {self.crash}")
        return "\n".join(lines)

    def ledger(self) -> dict[str, list[int]]:
        """Which attempts wrote to the world outside, by the name of their stage."""
        written: dict[str, list[int]] = {}
        for record in self.records:
            if record.what is What.EFFECT:
                written.setdefault(self.plan.stages[record.stage].name, []).append(record.attempt)
        return written

    def _line(self, record: Record) -> str:
        name = self.plan.stages[record.stage].name if record.stage >= 0 else ""
        told = [f"#{record.tick} {record.at:g}s", record.what.value, name]
        if record.attempt:
            told.append(f"attempt {record.attempt}")
        if record.is_alone:
            told.append("alone")
        if record.ahead:
            told.append(f"ahead {list(record.ahead)}")
        if record.timer is not None:
            told.append(f"timer {record.timer.kind} {record.seconds:g}s")
        told += [str(part) for part in (record.ending, record.text, record.data) if part]
        return " ".join(part for part in told if part)


def _shown(stage: StagePlan) -> str:
    """What was declared of a stage; other stages are indices."""
    declared = {each.name: getattr(stage, each.name) for each in fields(stage)}
    said = [f"{name}={value}" for name, value in declared.items() if value not in _UNSAID]
    return ", ".join(said)
