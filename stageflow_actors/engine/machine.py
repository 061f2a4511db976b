"""``RunMachine``: one run, decided. Facts in, commands out; no clock, no I/O, no randomness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stageflow_actors.engine.branches import Skip, release, skip_of
from stageflow_actors.engine.commands import (
    ArmTimer,
    Command,
    EmitEvent,
    EndRun,
    SkipStage,
    StartStage,
)
from stageflow_actors.engine.facts import (
    CancelRequested,
    Ending,
    Fact,
    RunAccepted,
    StageEnded,
    StageTimerFired,
)
from stageflow_actors.engine.finalizers import expect, note_over, still_run
from stageflow_actors.engine.state import RunPhase, RunState, StageState
from stageflow_actors.engine.transitions import RUN_TRANSITIONS, stop_running
from stageflow_actors.engine.verdict import decisive
from stageflow_actors.model.plan import Plan
from stageflow_actors.model.results import RunStatus

_END_EVENT = {
    RunStatus.OK: "pipeline.completed",
    RunStatus.FAILED: "pipeline.failed",
    RunStatus.TIMED_OUT: "pipeline.failed",
    RunStatus.CANCELLED: "pipeline.cancelled",
}


_ORDER = {RunAccepted: 0, StageEnded: 1, StageTimerFired: 2, CancelRequested: 3}


def _rank(fact: Fact) -> tuple[int, int]:
    """The order in which the facts of one tick count, whatever the order in which they came.

    An end comes before the timer of its stage: a body that has ended was in time.
    """
    return _ORDER[type(fact)], getattr(fact, "stage", 0)


class RunMachine:
    """Fail-fast execution of a plan.

    A stage starts, or is skipped, as soon as all its dependencies have passed. The first failure,
    timeout or cancel stops the run: live bodies are told to stop, finalizers run after a failure,
    and the verdict follows when the last has ended. Constant work per stage and edge.
    """

    __slots__ = ("state",)

    def __init__(self, plan: Plan) -> None:
        self.state = RunState(plan)

    def advance(self, facts: Sequence[Fact]) -> list[Command]:
        """Take the facts of one tick; say what to do now."""
        state = self.state
        commands: list[Command] = []
        for fact in facts if len(facts) < 2 else sorted(facts, key=_rank):
            RUN_TRANSITIONS[state.phase, type(fact)](state, fact, commands)
        if facts:
            self._act_on_tick(max(fact.at for fact in facts), commands)
        return commands

    def _act_on_tick(self, now: float, commands: list[Command]) -> None:
        state = self.state
        if state.phase is RunPhase.RUNNING and state.tick_causes:
            self._stop(commands)
        self._start_ready(now, commands)
        state.tick_causes.clear()
        if not state.live and state.phase in (RunPhase.RUNNING, RunPhase.STOPPING):
            self._end(now, commands)

    def _start_ready(self, now: float, commands: list[Command]) -> None:
        state = self.state
        if state.ready and state.remaining == len(state.stages) and not state.live:
            commands.append(EmitEvent("pipeline.started", now))
        while state.ready:  # a stage that is skipped may make others ready at once
            ready, state.ready = state.ready, []
            for index in sorted(ready) if len(ready) > 1 else ready:
                self._start_or_skip(index, now, commands)

    def _start_or_skip(self, index: int, now: float, commands: list[Command]) -> None:
        state = self.state
        skip = skip_of(state, index)
        if skip is not None:
            self._skip(index, skip, now, commands)
            return
        stage = state.plan.stages[index]
        state.stages[index] = StageState.RUNNING
        state.live += 1
        commands.append(EmitEvent(f"stage.{stage.name}.started", now, index, 1))
        commands.append(StartStage(index, 1))
        if stage.timeout_s is not None:
            commands.append(ArmTimer(index, 1, stage.timeout_s))

    def _skip(self, index: int, skip: Skip, now: float, commands: list[Command]) -> None:
        state = self.state
        state.stages[index] = StageState.SKIPPED
        state.remaining -= 1
        reasons = state.unselected if skip.is_unselected else state.skip_reasons
        reasons[index] = skip.reason
        release(state, index)
        if state.expected:
            note_over(state, index)
        data: dict[str, Any] = {"status": Ending.SKIP.value, "duration_ms": 0}
        if skip.reason:
            data["reason"] = skip.reason
        name = state.plan.stages[index].name
        commands.append(SkipStage(index, skip.reason, now))
        commands.append(EmitEvent(f"stage.{name}.skipped", now, index, 1, data))

    def _stop(self, commands: list[Command]) -> None:
        state = self.state
        state.phase = RunPhase.STOPPING
        state.cause = cause = decisive(state.tick_causes)
        state.ready.clear()
        finalizers_run = still_run(state)
        if finalizers_run:
            expect(state)
        stop_running(state, cause.reason, commands, spare_finalizers=finalizers_run)

    def _end(self, now: float, commands: list[Command]) -> None:
        state = self.state
        state.phase = RunPhase.ENDED
        cause = state.cause
        if cause is None:
            verdict = EndRun(RunStatus.OK, None, None)
        else:
            verdict = EndRun(cause.status, cause.stage_name(state.plan), cause.reason)
        data: dict[str, Any] = {
            "status": verdict.status.value,
            "duration_ms": round((now - state.accepted_at) * 1000),
        }
        if cause is not None:
            data["deciding_stage"] = verdict.stage
            data["reason"] = verdict.reason
        commands.append(EmitEvent(_END_EVENT[verdict.status], now, data=data))
        commands.append(verdict)
