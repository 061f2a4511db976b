"""``World``: everything around the engine in one simulated run: clocks, timers, bodies, people."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from stageflow_actors.engine.facts import CancelRequested, Escalated, Fact, Timer, TimerFired
from stageflow_actors.model.plan import Plan
from stageflow_actors.model.settings import Settings
from stageflow_actors.testing.clock import Alarm, VirtualClock
from stageflow_actors.testing.execution import Executions
from stageflow_actors.testing.faults import FaultKind, FaultPlan
from stageflow_actors.testing.history import What
from stageflow_actors.testing.hosts import Hosts

EPOCH_S = 1_750_000_000.0
"""What the wall clock shows when a run begins, in seconds since the Unix epoch."""
_LONGEST_JUMP_S = 3600.0

Write = Callable[[What, int, int], None]
"""Keeps a record of a stage and an attempt."""


class Conditions(NamedTuple):
    """What one simulated run is about; ``limit_s`` is the time it may take, in seconds."""

    seed: int
    plan: Plan
    settings: Settings
    limit_s: float | None
    hosts: Hosts

    def will_be_stopped(self, stage: int) -> bool:
        """Whether something ends a stage at last that does not end by itself."""
        limits = self.plan.stages[stage]
        return any(each is not None for each in (limits.timeout_s, limits.total_s, self.limit_s))


class World:
    """``inbox`` has the facts that have not been told yet; ``write`` keeps a record."""

    def __init__(
        self, conditions: Conditions, random: Random, faults: FaultPlan, write: Write
    ) -> None:
        self.conditions = conditions
        self.clock = VirtualClock(random)
        self.inbox: list[Fact] = []
        self.random = random
        self.faults = faults
        self.write = write
        self.is_ended = False
        self.bodies = Executions(self)
        # Jumps have a source of their own: they change nothing else.
        self._jumps = Random(f"jumps of {conditions.seed}")  # noqa: S311 - no secret
        self._offset_s = 0.0
        self._timers: dict[Timer, Alarm] = {}

    def wall(self) -> float:
        """What the wall clock shows now, in seconds since the Unix epoch."""
        return EPOCH_S + self.clock.now + self._offset_s

    def note(self, kind: FaultKind) -> None:
        """A fault has happened, which counts as long as the run goes on."""
        if not self.is_ended:
            self.faults.note(kind)

    def jump(self) -> None:
        """Set the wall clock."""
        self._offset_s = self._jumps.uniform(-_LONGEST_JUMP_S, _LONGEST_JUMP_S)
        self.note(FaultKind.CLOCK_JUMP)

    def cancel(self) -> None:
        """Ask the run to stop."""
        self.note(FaultKind.CANCELLED_OUTSIDE)
        self.inbox.append(CancelRequested("the user left", self.wall()))

    def escalate(self) -> None:
        """Have the supervisor give up."""
        self.note(FaultKind.ESCALATES)
        self.inbox.append(Escalated("too many deaths", self.wall()))

    def arm(self, timer: Timer, seconds: float) -> None:
        """Have a timer fire after so many seconds."""
        self._timers[timer] = self.clock.schedule(seconds, lambda: self._fire(timer))

    def disarm(self, timer: Timer) -> None:
        """Have it fire no more."""
        alarm = self._timers.pop(timer, None)
        if alarm is not None:
            alarm.is_cancelled = True

    def _fire(self, timer: Timer) -> None:
        self.inbox.append(TimerFired(timer, self.wall()))
