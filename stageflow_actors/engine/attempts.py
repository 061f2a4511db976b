"""The executions of a stage: how one begins, is told to stop, and leaves nothing armed behind."""

from __future__ import annotations

from stageflow_actors.engine.commands import (
    ArmTimer,
    Command,
    DisarmTimer,
    EmitEvent,
    InterruptStage,
    StartStage,
)
from stageflow_actors.engine.facts import Timer, TimerKind
from stageflow_actors.engine.finalizers import note_over
from stageflow_actors.engine.guards import disarm_guard
from stageflow_actors.engine.state import RunState, StageState

# Of every attempt: it takes longer to look a member of an enum up than to do something with it.
_RUNNING, _RETRYING = StageState.RUNNING, StageState.RETRYING
_ATTEMPT = TimerKind.ATTEMPT


def begin_attempt(state: RunState, index: int, now: float, commands: list[Command]) -> None:
    """Execute a stage for the first time, or once more."""
    stage = state.plan.stages[index]
    is_repeat = state.stages[index] is _RETRYING
    if is_repeat:
        leave_retrying(state, index, commands)
    attempt = state.attempts[index] = state.attempts[index] + 1
    state.stages[index] = _RUNNING
    state.live += 1
    started = f"stage.{stage.name}.started"
    commands.append(EmitEvent(started, now, index, attempt, stage.wiring))
    guard = state.notes.feedback.get(index) if state.notes.feedback else None
    feedback = None if guard is None else (guard, state.notes.rounds[guard].rejections)
    commands.append(StartStage(index, attempt, feedback, is_repeat and state.is_suspect(index)))
    if stage.timeout_s is not None:
        commands.append(ArmTimer(Timer(_ATTEMPT, index, attempt), stage.timeout_s))
    if stage.total_s is not None and not is_repeat:
        commands.append(ArmTimer(Timer(TimerKind.TOTAL, index), stage.total_s))


def tell_to_stop(
    state: RunState, index: int, why: StageState, reason: str, commands: list[Command]
) -> None:
    """Tell a running body to stop, in time; ``why`` is the state that it is in from now on."""
    attempt = state.attempts[index]
    state.stages[index] = why
    commands.append(InterruptStage(index, attempt, reason))
    commands.append(ArmTimer(Timer(TimerKind.STOP, index, attempt), state.settings.grace_s))


def stop_running(
    state: RunState,
    reason: str,
    now: float,
    commands: list[Command],
    *,
    spare_finalizers: bool = False,
) -> bool:
    """Stop every stage that runs or waits to be retried, or all but the finalizers.

    Whether there was one.
    """
    plan, found = state.plan, False
    for index, stage in enumerate(state.stages):
        if spare_finalizers and plan.stages[index].after_any:
            continue
        if stage is StageState.RUNNING:
            tell_to_stop(state, index, StageState.STOPPING, reason, commands)
            found = True
        elif stage is StageState.RETRYING:
            _give_up_retry(state, index, reason, now, commands)
            found = True
    return found


def end_attempt(state: RunState, index: int, was: StageState, commands: list[Command]) -> None:
    """Note that a body has ended, whatever becomes of its stage."""
    attempt = state.attempts[index]
    state.live -= 1
    if state.plan.stages[index].timeout_s is not None:
        commands.append(DisarmTimer(Timer(_ATTEMPT, index, attempt)))
    if was is not _RUNNING:
        kind = TimerKind.CLEANUP if index in state.notes.heard else TimerKind.STOP
        commands.append(DisarmTimer(Timer(kind, index, attempt)))
        state.noting().heard.discard(index)
        state.noting().killed.discard(index)


def close_stage(state: RunState, index: int, commands: list[Command]) -> None:
    """Note that a stage has ended for good."""
    state.remaining -= 1
    if state.notes.rounds:
        disarm_guard(state, index, commands)
    if state.plan.stages[index].total_s is not None:
        commands.append(DisarmTimer(Timer(TimerKind.TOTAL, index)))
    if state.notes.expected:
        note_over(state, index)


def leave_retrying(state: RunState, index: int, commands: list[Command]) -> None:
    """Note that a stage waits for its next attempt no more."""
    state.retrying -= 1
    commands.append(DisarmTimer(Timer(TimerKind.RETRY, index, state.attempts[index])))


def _give_up_retry(
    state: RunState, index: int, reason: str, now: float, commands: list[Command]
) -> None:
    attempt = state.attempts[index]
    leave_retrying(state, index, commands)
    state.stages[index] = StageState.INTERRUPTED
    data = {"status": "interrupted", "reason": reason}
    name = state.plan.stages[index].name
    commands.append(EmitEvent(f"stage.{name}.cancelled", now, index, attempt, data))
    close_stage(state, index, commands)
