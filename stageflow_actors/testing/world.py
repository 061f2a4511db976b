"""``World``: the bodies of one simulated run, their processes, and the way their reports take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from stageflow_actors.engine.facts import (
    NO_HINT,
    CancelRequested,
    Ending,
    Escalated,
    Fact,
    FailureHint,
    Signal,
    StageEnded,
    StopHeard,
    Timer,
    TimerFired,
)
from stageflow_actors.model.plan import Plan
from stageflow_actors.model.settings import Settings
from stageflow_actors.testing.bodies import Manner, Script, draw_script
from stageflow_actors.testing.clock import Alarm, VirtualClock
from stageflow_actors.testing.faults import FaultKind, FaultPlan
from stageflow_actors.testing.history import What

EPOCH_S = 1_750_000_000.0
"""What the wall clock shows when a run begins, in seconds since the Unix epoch."""
_LONGEST_JUMP_S = 3600.0

Write = Callable[[What, int, int], None]
"""Keeps a record of a stage and an attempt."""


@dataclass(eq=False, slots=True)
class _Body:
    """One execution; ``alarms`` are what it still has to do."""

    stage: int
    attempt: int
    script: Script
    alarms: list[Alarm] = field(default_factory=list)
    is_over: bool = False
    has_acted: bool = False


class World:
    """Everything around the engine. ``inbox`` has the facts that have not been told yet."""

    def __init__(
        self,
        plan: Plan,
        settings: Settings,
        random: Random,
        faults: FaultPlan,
        jumps: Random,
        write: Write,
    ) -> None:
        self.clock = VirtualClock(random)
        self.inbox: list[Fact] = []
        self.faults = faults
        self.is_ended = False
        self._plan = plan
        self._settings = settings
        self._random = random
        self._jumps = jumps
        self._write = write
        self._offset_s = 0.0
        self._bodies: dict[int, _Body] = {}
        self._timers: dict[Timer, Alarm] = {}
        self._poisoned: set[int] = set()

    def wall(self) -> float:
        """What the wall clock shows now, in seconds since the Unix epoch."""
        return EPOCH_S + self.clock.now + self._offset_s

    def jump(self) -> None:
        """Set the wall clock."""
        self._offset_s = self._jumps.uniform(-_LONGEST_JUMP_S, _LONGEST_JUMP_S)
        self._note(FaultKind.CLOCK_JUMP)

    def cancel(self) -> None:
        """Ask the run to stop."""
        self._note(FaultKind.CANCELLED_OUTSIDE)
        self.inbox.append(CancelRequested("the user left", self.wall()))

    def escalate(self) -> None:
        """Have the supervisor give up."""
        self._note(FaultKind.ESCALATES)
        self.inbox.append(Escalated("too many deaths", self.wall()))

    def start(self, stage: int, attempt: int, *, may_hang: bool) -> None:
        """Begin an execution."""
        script = draw_script(
            self._random,
            self._plan,
            stage,
            self.faults,
            may_hang=may_hang,
            is_poisoned=stage in self._poisoned,
        )
        if script.fault is FaultKind.POISON:
            self._poisoned.add(stage)
        body = _Body(stage, attempt, script)
        self._bodies[stage] = body
        if attempt > 1 and self.faults.strikes(FaultKind.LATE_END, 0.4):
            self._tell_late(stage, attempt)
        if script.effect_s is not None:
            body.alarms.append(self.clock.schedule(script.effect_s, lambda: self._act(body)))
        if script.length_s is not None:
            body.alarms.append(self.clock.schedule(script.length_s, lambda: self._finish(body)))

    def interrupt(self, stage: int, attempt: int) -> None:
        """Tell a body to stop; it reacts in its manner."""
        body = self._bodies[stage]
        manner = body.script.manner
        if body.is_over or body.attempt != attempt or manner is Manner.GOES_ON:
            return
        if manner is Manner.IS_DEAF:
            self._drop_alarms(body)
            if body.script.length_s is not None:
                self._note(FaultKind.IGNORES_STOP)
            return
        grace_s = self._settings.grace_s
        stops_after_s = self._random.choice((0.0, 0.0, grace_s / 2, grace_s))
        if manner is Manner.IS_SLOW:
            self._note(FaultKind.SLOW_STOP)
            heard_after_s = self._random.choice((0.0, grace_s / 2, grace_s))
            self.clock.schedule(heard_after_s, lambda: self._hear(body))
            stops_after_s = grace_s + self._random.random() * self._settings.stop_timeout_s
        self._drop_alarms(body)
        answers = manner is Manner.ANSWERS
        ending = body.script.answer if answers else Ending.INTERRUPTED
        body.alarms.append(
            self.clock.schedule(stops_after_s, lambda: self._end(body, ending, NO_HINT, None))
        )

    def kill(self, stage: int, attempt: int) -> None:
        """End the process of a body, and report that."""
        body = self._bodies[stage]
        if body.is_over or body.attempt != attempt:
            return
        if body.script.fault is FaultKind.HANGS:
            self._note(FaultKind.HANGS)
        self._end(body, Ending.LOST, NO_HINT, None)

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

    def _act(self, body: _Body) -> None:
        """Write to the world outside, once."""
        if not body.has_acted:
            body.has_acted = True
            self._write(What.EFFECT, body.stage, body.attempt)

    def _finish(self, body: _Body) -> None:
        """It ends by itself."""
        script = body.script
        if script.effect_s is not None:
            self._act(body)  # where both are due at once, the effect comes first
        if script.fault is not None:
            self._note(script.fault)
        self._end(body, script.told, script.hint, script.signal)

    def _end(self, body: _Body, told: Ending, hint: FailureHint, signal: Signal | None) -> None:
        """The body is over; its report is on its way."""
        if body.is_over:
            return
        body.is_over = True
        self._drop_alarms(body)
        self._write(What.BODY_OVER, body.stage, body.attempt)
        chance = self._random.random()

        def tell() -> None:
            stage = body.stage
            detail = {"status": told.value, "duration_ms": 0}
            reason = "" if told is Ending.OK else f"{self._plan.stages[stage].name}: {told.value}"
            fact = StageEnded(
                stage, body.attempt, told, self.wall(), reason, detail, signal, hint, chance
            )
            self.inbox.append(fact)
            if self.faults.strikes(FaultKind.DUPLICATE_END, 0.2):
                self.clock.schedule(
                    self._random.choice((0.0, 0.0, 0.25)), lambda: self._repeat(fact)
                )

        self.clock.schedule(self._random.choice((0.0, 0.0, 0.0, 0.05)), tell)

    def _repeat(self, fact: StageEnded) -> None:
        self._note(FaultKind.DUPLICATE_END)
        self.inbox.append(fact)

    def _tell_late(self, stage: int, newest: int) -> None:
        """What an older attempt really did is told when nobody waits for it any more."""
        attempt = self._random.randint(1, newest - 1)
        told = self._random.choice((Ending.OK, Ending.OK, Ending.FAIL, Ending.LOST, Ending.CANCEL))

        def tell() -> None:
            self._note(FaultKind.LATE_END)
            self.inbox.append(StageEnded(stage, attempt, told, self.wall(), "late"))

        self.clock.schedule(self._random.choice((0.0, 0.0, 0.25, 1.0)), tell)

    def _hear(self, body: _Body) -> None:
        """The word that it stops may be overtaken by its end."""
        self.inbox.append(StopHeard(body.stage, body.attempt, self.wall()))

    def _drop_alarms(self, body: _Body) -> None:
        for alarm in body.alarms:
            alarm.is_cancelled = True
        body.alarms.clear()

    def _note(self, kind: FaultKind) -> None:
        if not self.is_ended:
            self.faults.note(kind)
