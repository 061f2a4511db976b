"""``RunMachine``: one run, decided. Facts in, commands out; no clock, no I/O, no randomness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stageflow_actors.engine.attempts import begin_attempt, stop_running, tell_to_stop
from stageflow_actors.engine.branches import Skip, note_skip, release, skip_of
from stageflow_actors.engine.commands import Command, DisarmTimer, EmitEvent, EndRun, SkipStage
from stageflow_actors.engine.facts import (
    CancelRequested,
    Ending,
    Escalated,
    Fact,
    RunAccepted,
    StageEnded,
    StopHeard,
    Timer,
    TimerFired,
    TimerKind,
)
from stageflow_actors.engine.finalizers import expect, note_over, still_run
from stageflow_actors.engine.guards import disarm_guard
from stageflow_actors.engine.state import RunPhase, RunState, StageState
from stageflow_actors.engine.transitions import RUN_TRANSITIONS
from stageflow_actors.engine.verdict import decisive
from stageflow_actors.model.plan import Plan
from stageflow_actors.model.results import RunStatus
from stageflow_actors.model.settings import Settings

_END_EVENT = {
    RunStatus.OK: "pipeline.completed",
    RunStatus.FAILED: "pipeline.failed",
    RunStatus.TIMED_OUT: "pipeline.failed",
    RunStatus.CANCELLED: "pipeline.cancelled",
}


_ORDER = {
    kind: place
    for place, kind in enumerate(
        (RunAccepted, StageEnded, StopHeard, TimerFired, CancelRequested, Escalated)
    )
}
_TIMERS = tuple(TimerKind)


def _rank(fact: Fact) -> tuple[int, int, int]:
    """The order in which the facts of one tick count, whatever the order in which they came.

    An end comes before the timer of its stage: a body that has ended was in time.
    """
    if isinstance(fact, TimerFired):
        return _ORDER[TimerFired], _TIMERS.index(fact.timer.kind), fact.timer.stage
    return _ORDER[type(fact)], getattr(fact, "stage", 0), getattr(fact, "attempt", 0)


class RunMachine:
    """The execution of a plan.

    A stage starts, or is skipped, as soon as all its dependencies have passed. A failure that
    nothing else is done about, a timeout, a cancel or an escalation stops the run: live bodies are
    told to stop, finalizers run after a failure, and the verdict follows when the last has ended.
    Constant work per stage, edge and attempt.
    """

    __slots__ = ("state",)

    def __init__(self, plan: Plan, settings: Settings) -> None:
        self.state = RunState(plan, settings)

    def advance(self, facts: Sequence[Fact]) -> list[Command]:
        """Take the facts of one tick; say what to do now."""
        state = self.state
        commands: list[Command] = []
        now = 0.0
        for fact in facts if len(facts) < 2 else sorted(facts, key=_rank):
            RUN_TRANSITIONS[state.phase, type(fact)](state, fact, commands)
            now = max(now, fact.at)
        if facts:
            self._act_on_tick(now, commands)
        return commands

    def _act_on_tick(self, now: float, commands: list[Command]) -> None:
        state = self.state
        if state.tick_causes and state.phase is RunPhase.RUNNING:
            self._stop(now, commands)
        if state.ready:
            self._start_ready(now, commands)
        if state.ahead:
            self._catch_up(now, commands)
        state.tick_causes.clear()
        is_quiet = not state.live and not state.retrying
        if is_quiet and state.phase in (RunPhase.RUNNING, RunPhase.STOPPING):
            self._end(now, commands)

    def _catch_up(self, now: float, commands: list[Command]) -> None:
        """With what is executed ahead of the run; where it stops, so does that."""
        state = self.state
        ahead, state.ahead = state.ahead, []
        for index in ahead:
            if state.stages[index] is StageState.WAITING:
                begin_attempt(state, index, now, commands)
                reason = "" if state.cause is None else state.cause.reason
                tell_to_stop(state, index, StageState.STOPPING, reason, commands)

    def _start_ready(self, now: float, commands: list[Command]) -> None:
        state = self.state
        if state.remaining == len(state.stages) and not any(state.attempts):
            commands.append(EmitEvent("pipeline.started", now))
        while state.ready:  # a stage that is skipped may make others ready at once
            ready, state.ready = state.ready, []
            for index in sorted(ready) if len(ready) > 1 else ready:
                skip = skip_of(state, index)
                if skip is None:
                    begin_attempt(state, index, now, commands)
                else:
                    self._skip(index, skip, now, commands)

    def _skip(self, index: int, skip: Skip, now: float, commands: list[Command]) -> None:
        state = self.state
        state.stages[index] = StageState.SKIPPED
        note_skip(state, index, skip)
        release(state, index)
        data: dict[str, Any] = {"status": Ending.SKIP.value, "duration_ms": 0}
        if skip.reason:
            data["reason"] = skip.reason
        name = state.plan.stages[index].name
        commands.append(SkipStage(index, skip.reason, now))
        commands.append(
            EmitEvent(f"stage.{name}.skipped", now, index, state.attempts[index] or 1, data)
        )
        state.remaining -= 1
        if state.notes.rounds:
            disarm_guard(state, index, commands)
        if state.notes.expected:
            note_over(state, index)

    def _stop(self, now: float, commands: list[Command]) -> None:
        state = self.state
        state.phase = RunPhase.STOPPING
        state.cause = cause = decisive(state.tick_causes)
        finalizers_run = still_run(state)
        stop_running(state, cause.reason, now, commands, spare_finalizers=finalizers_run)
        # a finalizer that was spared may have been about to try again
        state.ready = [each for each in state.ready if state.stages[each] is StageState.RETRYING]
        if finalizers_run:
            expect(state)

    def _end(self, now: float, commands: list[Command]) -> None:
        state = self.state
        state.phase = RunPhase.ENDED
        if state.limit_s is not None:
            commands.append(DisarmTimer(Timer(TimerKind.RUN)))
        for guard in list(state.notes.rounds):  # those whose producer did not come round again
            disarm_guard(state, guard, commands)
        cause = state.cause
        if cause is None:
            verdict = EndRun(RunStatus.OK, None, None)
        else:
            verdict = EndRun(cause.status, cause.stage_name(state.plan), cause.reason)
        data: dict[str, Any] = {
            "status": verdict.status.value,
            "duration_ms": max(0, round((now - state.accepted_at) * 1000)),
        }
        if cause is not None:
            data["deciding_stage"] = verdict.stage
            data["reason"] = verdict.reason
        commands.append(EmitEvent(_END_EVENT[verdict.status], now, data=data))
        commands.append(verdict)
