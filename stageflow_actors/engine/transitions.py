"""The transition tables: what a fact does to a run and to a stage.

Handlers change the state and append commands. They note what became ready and what wants to stop
the run; ``RunMachine`` acts on both once all facts of a tick are in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stageflow_actors.engine.branches import release
from stageflow_actors.engine.commands import Command, DisarmTimer, EmitEvent, InterruptStage
from stageflow_actors.engine.facts import (
    CancelRequested,
    Ending,
    RunAccepted,
    Signal,
    StageEnded,
    StageTimerFired,
)
from stageflow_actors.engine.finalizers import note_over
from stageflow_actors.engine.state import RunPhase, RunState, StageState
from stageflow_actors.engine.verdict import Cause, CauseKind
from stageflow_actors.errors import StageTimeoutError
from stageflow_actors.model.plan import StagePlan

RunHandler = Callable[[RunState, Any, list[Command]], None]
StageHandler = Callable[[RunState, StageEnded, list[Command]], None]


def _completed(state: RunState, fact: StageEnded, commands: list[Command]) -> None:
    state.stages[fact.stage] = StageState.OK
    release(state, fact.stage)
    _emit_end(state, fact, "completed", commands)
    if fact.signal is not None:
        _take_signal(state, fact, fact.signal, commands)


def _take_signal(
    state: RunState, fact: StageEnded, signal: Signal, commands: list[Command]
) -> None:
    if signal.skip_reason:
        state.skip_reasons[fact.stage] = signal.skip_reason
    if signal.route is not None:
        state.taken[fact.stage] = signal.route
    if signal.routing is not None:
        commands.append(
            EmitEvent("pipeline.route", fact.at, fact.stage, fact.attempt, signal.routing)
        )


def _skipped(state: RunState, fact: StageEnded, commands: list[Command]) -> None:
    state.stages[fact.stage] = StageState.SKIPPED
    state.skip_reasons[fact.stage] = fact.reason
    release(state, fact.stage)
    _emit_end(state, fact, "skipped", commands)


def _failed(state: RunState, fact: StageEnded, commands: list[Command]) -> None:
    state.stages[fact.stage] = StageState.FAILED
    state.tick_causes.append(Cause(CauseKind.FAILURE, fact.stage, fact.reason))
    _emit_end(state, fact, "failed", commands)


def _cancelled(state: RunState, fact: StageEnded, commands: list[Command]) -> None:
    state.stages[fact.stage] = StageState.CANCELLED
    state.tick_causes.append(Cause(CauseKind.STAGE_CANCEL, fact.stage, fact.reason))
    _emit_end(state, fact, "cancelled", commands)


def _interrupted(state: RunState, fact: StageEnded, commands: list[Command]) -> None:
    state.stages[fact.stage] = StageState.INTERRUPTED
    _emit_end(state, fact, "cancelled", commands)


def _stopped_unasked(state: RunState, fact: StageEnded, commands: list[Command]) -> None:
    """Nobody told it to stop, so it is the one that stops the run."""
    _interrupted(state, fact, commands)
    state.tick_causes.append(Cause(CauseKind.STAGE_CANCEL, fact.stage, fact.reason))


def _answered_cancel(state: RunState, fact: StageEnded, commands: list[Command]) -> None:
    """The first stage that ends itself on an outside request is named as the one that stopped."""
    _cancelled(state, fact, commands)
    cause = state.cause
    if cause is not None and cause.kind is CauseKind.EXTERNAL_CANCEL and cause.stage is None:
        cause.stage = fact.stage


def _timed_out(state: RunState, fact: StageEnded, commands: list[Command]) -> None:
    """Whatever the body says now comes too late."""
    stage = state.plan.stages[fact.stage]
    state.stages[fact.stage] = StageState.TIMED_OUT
    data = {
        "status": "timed_out",
        "duration_ms": fact.detail.get("duration_ms"),
        "error": timeout_text(stage),
        "error_type": StageTimeoutError.__name__,
        "code": StageTimeoutError.default_code,
    }
    commands.append(
        EmitEvent(f"stage.{stage.name}.failed", fact.at, fact.stage, fact.attempt, data)
    )


def timeout_text(stage: StagePlan) -> str:
    """What is said of a stage that used up its time."""
    return f"Stage timed out after {round((stage.timeout_s or 0) * 1000)}ms"


def _emit_end(state: RunState, fact: StageEnded, word: str, commands: list[Command]) -> None:
    name = state.plan.stages[fact.stage].name
    commands.append(
        EmitEvent(f"stage.{name}.{word}", fact.at, fact.stage, fact.attempt, fact.detail)
    )


def stop_running(
    state: RunState, reason: str, commands: list[Command], *, spare_finalizers: bool = False
) -> bool:
    """Tell every running body to stop, or all but the finalizers; whether there was one."""
    running = [index for index, stage in enumerate(state.stages) if stage is StageState.RUNNING]
    if spare_finalizers:
        running = [index for index in running if not state.plan.stages[index].after_any]
    for index in running:
        state.stages[index] = StageState.STOPPING
        commands.append(InterruptStage(index, 1, reason))
    return bool(running)


STAGE_TRANSITIONS: dict[tuple[StageState, Ending], StageHandler] = {
    (StageState.RUNNING, Ending.OK): _completed,
    (StageState.RUNNING, Ending.SKIP): _skipped,
    (StageState.RUNNING, Ending.FAIL): _failed,
    (StageState.RUNNING, Ending.CANCEL): _cancelled,
    (StageState.RUNNING, Ending.INTERRUPTED): _stopped_unasked,
    (StageState.STOPPING, Ending.OK): _completed,
    (StageState.STOPPING, Ending.SKIP): _skipped,
    (StageState.STOPPING, Ending.FAIL): _failed,
    (StageState.STOPPING, Ending.CANCEL): _answered_cancel,
    (StageState.STOPPING, Ending.INTERRUPTED): _interrupted,
    (StageState.TIMING_OUT, Ending.OK): _timed_out,
    (StageState.TIMING_OUT, Ending.SKIP): _timed_out,
    (StageState.TIMING_OUT, Ending.FAIL): _timed_out,
    (StageState.TIMING_OUT, Ending.CANCEL): _timed_out,
    (StageState.TIMING_OUT, Ending.INTERRUPTED): _timed_out,
}


def _accept(state: RunState, fact: RunAccepted, commands: list[Command]) -> None:
    state.phase = RunPhase.RUNNING
    state.accepted_at = fact.at
    state.ready.extend(index for index, count in enumerate(state.waiting_for) if not count)
    commands.append(EmitEvent("pipeline.created", fact.at))


def _end_stage(state: RunState, fact: StageEnded, commands: list[Command]) -> None:
    current = state.stages[fact.stage]
    if not current.is_live:
        state.late_facts += 1
        return
    STAGE_TRANSITIONS[current, fact.ending](state, fact, commands)
    if state.expected:
        note_over(state, fact.stage)
    state.live -= 1
    state.remaining -= 1
    if state.plan.stages[fact.stage].timeout_s is not None:
        commands.append(DisarmTimer(fact.stage, fact.attempt))


def _time_out(state: RunState, fact: StageTimerFired, commands: list[Command]) -> None:
    stage = state.plan.stages[fact.stage]
    if state.stages[fact.stage] is not StageState.RUNNING or stage.timeout_s is None:
        state.late_facts += 1
        return
    reason = timeout_text(stage)
    state.stages[fact.stage] = StageState.TIMING_OUT
    state.tick_causes.append(Cause(CauseKind.TIMEOUT, fact.stage, reason))
    commands.append(InterruptStage(fact.stage, fact.attempt, reason))


def _cancel(state: RunState, fact: CancelRequested, commands: list[Command]) -> None:
    state.is_cancelled = True
    state.tick_causes.append(Cause(CauseKind.EXTERNAL_CANCEL, None, fact.reason))


def _cancel_finalizers(state: RunState, fact: CancelRequested, commands: list[Command]) -> None:
    """The verdict stands; what the failure set going is stopped, and nothing more of it starts."""
    state.is_cancelled = True
    state.expected.clear()
    state.ready.clear()
    if not stop_running(state, fact.reason, commands):
        state.late_facts += 1


def _ignore(state: RunState, fact: object, commands: list[Command]) -> None:
    state.late_facts += 1


RUN_TRANSITIONS: dict[tuple[RunPhase, type], RunHandler] = {
    (RunPhase.CREATED, RunAccepted): _accept,
    (RunPhase.RUNNING, StageEnded): _end_stage,
    (RunPhase.RUNNING, StageTimerFired): _time_out,
    (RunPhase.RUNNING, CancelRequested): _cancel,
    (RunPhase.STOPPING, StageEnded): _end_stage,
    (RunPhase.STOPPING, StageTimerFired): _time_out,
    (RunPhase.STOPPING, CancelRequested): _cancel_finalizers,
    (RunPhase.ENDED, StageEnded): _ignore,
    (RunPhase.ENDED, StageTimerFired): _ignore,
    (RunPhase.ENDED, CancelRequested): _ignore,
}
