"""The transition tables: what a fact does to a run and to a stage.

Handlers change the state and append commands. They note what became ready and what wants to stop
the run; ``RunMachine`` acts on both once all facts of a tick are in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from stageflow_actors.engine.attempts import close_stage, end_attempt, stop_running
from stageflow_actors.engine.branches import release
from stageflow_actors.engine.commands import ArmTimer, Command, DisarmTimer, EmitEvent
from stageflow_actors.engine.facts import (
    NO_HINT,
    CancelRequested,
    Ending,
    Escalated,
    RunAccepted,
    Signal,
    StageEnded,
    StopHeard,
    Timer,
    TimerFired,
    TimerKind,
)
from stageflow_actors.engine.failures import fail_while_stopping, settle_failure
from stageflow_actors.engine.guards import note_pass
from stageflow_actors.engine.state import LIVE, RunPhase, RunState, StageState
from stageflow_actors.engine.timers import fire, out_of_time
from stageflow_actors.engine.verdict import Cause, CauseKind

RunHandler = Callable[[RunState, Any, list[Command]], None]
StageHandler = Callable[[RunState, StageEnded, list[Command]], None]

_OK = StageState.OK  # looked up once, as nearly every stage ends so


def _completed(state: RunState, fact: StageEnded, commands: list[Command]) -> None:
    state.stages[fact.stage] = _OK
    release(state, fact.stage)
    _emit_end(state, fact, "completed", commands)
    if state.notes.rounds:
        note_pass(state, fact, commands)
    if fact.signal is not None:
        _take_signal(state, fact, fact.signal, commands)
    close_stage(state, fact.stage, commands)


def _take_signal(
    state: RunState, fact: StageEnded, signal: Signal, commands: list[Command]
) -> None:
    if signal.skip_reason:
        state.noting().skip_reasons[fact.stage] = signal.skip_reason
    if signal.route is not None:
        state.noting().taken[fact.stage] = signal.route
    if signal.routing is not None:
        commands.append(
            EmitEvent("pipeline.route", fact.at, fact.stage, fact.attempt, signal.routing)
        )


def _skipped(state: RunState, fact: StageEnded, commands: list[Command]) -> None:
    state.stages[fact.stage] = StageState.SKIPPED
    state.noting().skip_reasons[fact.stage] = fact.reason
    release(state, fact.stage)
    _emit_end(state, fact, "skipped", commands)
    close_stage(state, fact.stage, commands)


def _cancelled_branch(state: RunState, fact: StageEnded, commands: list[Command]) -> None:
    state.stages[fact.stage] = StageState.BRANCH_CANCELLED
    name = state.plan.stages[fact.stage].name
    state.noting().unselected[fact.stage] = f"'{name}' cancelled its branch: {fact.reason}"
    release(state, fact.stage)
    _emit_end(state, fact, "cancelled", commands)
    close_stage(state, fact.stage, commands)


def _cancelled(state: RunState, fact: StageEnded, commands: list[Command]) -> None:
    state.stages[fact.stage] = StageState.CANCELLED
    state.tick_causes.append(Cause(CauseKind.STAGE_CANCEL, fact.stage, fact.reason))
    _emit_end(state, fact, "cancelled", commands)
    close_stage(state, fact.stage, commands)


def _interrupted(state: RunState, fact: StageEnded, commands: list[Command]) -> None:
    state.stages[fact.stage] = StageState.INTERRUPTED
    _emit_end(state, fact, "cancelled", commands)
    close_stage(state, fact.stage, commands)


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
    reason = state.noting().timeout_texts.pop(fact.stage)
    late = replace(fact, ending=Ending.TIMED_OUT, reason=reason, hint=NO_HINT)
    if fact.stage in state.notes.doomed:
        state.noting().doomed.discard(fact.stage)
        fail_while_stopping(state, late, commands)
    else:
        settle_failure(state, late, commands)


def _emit_end(state: RunState, fact: StageEnded, word: str, commands: list[Command]) -> None:
    name = state.plan.stages[fact.stage].name
    commands.append(
        EmitEvent(f"stage.{name}.{word}", fact.at, fact.stage, fact.attempt, fact.detail)
    )


STAGE_TRANSITIONS: dict[tuple[StageState, Ending], StageHandler] = {
    (StageState.RUNNING, Ending.OK): _completed,
    (StageState.RUNNING, Ending.SKIP): _skipped,
    (StageState.RUNNING, Ending.FAIL): settle_failure,
    (StageState.RUNNING, Ending.RETRY): settle_failure,
    (StageState.RUNNING, Ending.TIMED_OUT): settle_failure,
    (StageState.RUNNING, Ending.LOST): settle_failure,
    (StageState.RUNNING, Ending.CANCEL): _cancelled,
    (StageState.RUNNING, Ending.CANCEL_BRANCH): _cancelled_branch,
    (StageState.RUNNING, Ending.INTERRUPTED): _stopped_unasked,
    (StageState.STOPPING, Ending.OK): _completed,
    (StageState.STOPPING, Ending.SKIP): _skipped,
    (StageState.STOPPING, Ending.FAIL): fail_while_stopping,
    (StageState.STOPPING, Ending.RETRY): fail_while_stopping,
    (StageState.STOPPING, Ending.TIMED_OUT): fail_while_stopping,
    (StageState.STOPPING, Ending.LOST): _interrupted,
    (StageState.STOPPING, Ending.CANCEL): _answered_cancel,
    (StageState.STOPPING, Ending.CANCEL_BRANCH): _cancelled_branch,
    (StageState.STOPPING, Ending.INTERRUPTED): _interrupted,
    **{(StageState.TIMING_OUT, ending): _timed_out for ending in Ending},
}


def _accept(state: RunState, fact: RunAccepted, commands: list[Command]) -> None:
    state.phase = RunPhase.RUNNING
    state.accepted_at = fact.at
    state.ready.extend(index for index, count in enumerate(state.waiting_for) if not count)
    commands.append(EmitEvent("pipeline.created", fact.at))
    state.limit_s = fact.limit_s
    if fact.limit_s is not None:
        if fact.limit_s <= 0:
            state.tick_causes.append(Cause(CauseKind.DEADLINE, None, out_of_time(state)))
        commands.append(ArmTimer(Timer(TimerKind.RUN), fact.limit_s))


def _end_stage(state: RunState, fact: StageEnded, commands: list[Command]) -> None:
    current = state.stages[fact.stage]
    if current not in LIVE or fact.attempt != state.attempts[fact.stage]:
        state.late_facts += 1
        return
    end_attempt(state, fact.stage, current, commands)
    if fact.ahead:
        state.ahead.extend(fact.ahead)
        if current is StageState.TIMING_OUT:  # others go on from it: it was in time
            state.noting().doomed.discard(fact.stage)
            del state.noting().timeout_texts[fact.stage]
            current = StageState.RUNNING
    STAGE_TRANSITIONS[current, fact.ending](state, fact, commands)


def _hear_stop(state: RunState, fact: StopHeard, commands: list[Command]) -> None:
    """It is stopping: what is left of it may take as long as cleanups may."""
    current = state.stages[fact.stage]
    is_stopping = current.is_live and current is not StageState.RUNNING
    is_told = fact.stage in state.notes.heard or fact.stage in state.notes.killed
    if not is_stopping or is_told or fact.attempt != state.attempts[fact.stage]:
        state.late_facts += 1
        return
    state.noting().heard.add(fact.stage)
    commands.append(DisarmTimer(Timer(TimerKind.STOP, fact.stage, fact.attempt)))
    cleanup = Timer(TimerKind.CLEANUP, fact.stage, fact.attempt)
    commands.append(ArmTimer(cleanup, state.settings.stop_timeout_s))


def _cancel(state: RunState, fact: CancelRequested, commands: list[Command]) -> None:
    state.is_cancelled = True
    state.tick_causes.append(Cause(CauseKind.EXTERNAL_CANCEL, None, fact.reason))


def _escalate(state: RunState, fact: Escalated, commands: list[Command]) -> None:
    state.is_cancelled = True  # finalizers would need what the supervisor has given up
    state.tick_causes.append(Cause(CauseKind.ESCALATION, None, fact.reason))


def _stop_finalizers(
    state: RunState, fact: CancelRequested | Escalated, commands: list[Command]
) -> None:
    """The verdict stands; what the failure set going is stopped, and nothing more of it starts."""
    state.is_cancelled = True
    state.noting().expected.clear()
    state.ready.clear()
    if not stop_running(state, fact.reason, fact.at, commands):
        state.late_facts += 1


def _ignore(state: RunState, fact: object, commands: list[Command]) -> None:
    state.late_facts += 1


RUN_TRANSITIONS: dict[tuple[RunPhase, type], RunHandler] = {
    (RunPhase.CREATED, RunAccepted): _accept,
    (RunPhase.RUNNING, StageEnded): _end_stage,
    (RunPhase.RUNNING, StopHeard): _hear_stop,
    (RunPhase.RUNNING, TimerFired): fire,
    (RunPhase.RUNNING, CancelRequested): _cancel,
    (RunPhase.RUNNING, Escalated): _escalate,
    (RunPhase.STOPPING, StageEnded): _end_stage,
    (RunPhase.STOPPING, StopHeard): _hear_stop,
    (RunPhase.STOPPING, TimerFired): fire,
    (RunPhase.STOPPING, CancelRequested): _stop_finalizers,
    (RunPhase.STOPPING, Escalated): _stop_finalizers,
    (RunPhase.ENDED, StageEnded): _ignore,
    (RunPhase.ENDED, StopHeard): _ignore,
    (RunPhase.ENDED, TimerFired): _ignore,
    (RunPhase.ENDED, CancelRequested): _ignore,
    (RunPhase.ENDED, Escalated): _ignore,
}
