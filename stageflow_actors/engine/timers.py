"""What a timer that has fired means."""

from __future__ import annotations

from collections.abc import Callable

from stageflow_actors.engine.attempts import leave_retrying, stop_running, tell_to_stop
from stageflow_actors.engine.commands import Command, KillStage
from stageflow_actors.engine.facts import Ending, StageEnded, TimerFired, TimerKind
from stageflow_actors.engine.failures import settle_failure, would_stop_run
from stageflow_actors.engine.retries import Repeat, repeat_of, tell_exhausted
from stageflow_actors.engine.state import RunPhase, RunState, StageState, Tries
from stageflow_actors.engine.verdict import Cause, CauseKind


def fire(state: RunState, fact: TimerFired, commands: list[Command]) -> None:
    """Act on it, unless what it was for is over."""
    if not _FIRED[fact.timer.kind](state, fact, commands):
        state.late_facts += 1


def _time_out_attempt(state: RunState, fact: TimerFired, commands: list[Command]) -> bool:
    index, limit_s = fact.timer.stage, state.plan.stages[fact.timer.stage].timeout_s
    is_current = fact.timer.attempt == state.attempts[index]
    if limit_s is None or not is_current or state.stages[index] is not StageState.RUNNING:
        return False
    text = f"Stage timed out after {round(limit_s * 1000)}ms"
    _time_out(state, index, text, fact.at, commands)
    return True


def _time_out_stage(state: RunState, fact: TimerFired, commands: list[Command]) -> bool:
    index, limit_s = fact.timer.stage, state.plan.stages[fact.timer.stage].total_s
    current = state.stages[index]
    may_go_on = current.is_open and current is not StageState.STOPPING
    if limit_s is None or not may_go_on:
        return False
    state.noting().tries.setdefault(index, Tries()).is_out_of_time = True
    if current is StageState.TIMING_OUT:
        return True  # this attempt is the last, and has been told to stop
    text = f"Stage timed out after {round(limit_s * 1000)}ms, all attempts together"
    if current is StageState.RUNNING:
        _time_out(state, index, text, fact.at, commands)
        return True
    leave_retrying(state, index, commands)
    end = StageEnded(index, state.attempts[index], Ending.TIMED_OUT, fact.at, text)
    settle_failure(state, end, commands)
    return True


def _time_out(state: RunState, index: int, text: str, at: float, commands: list[Command]) -> None:
    """Tell it to stop. If that is the end of the run, the others need not wait to be told."""
    state.noting().timeout_texts[index] = text
    end = StageEnded(index, state.attempts[index], Ending.TIMED_OUT, at, text)
    repeat = repeat_of(state, end)
    if would_stop_run(state, index) and repeat not in (Repeat.FREE, Repeat.RETRY):
        tell_exhausted(state, end, repeat, commands)
        state.noting().doomed.add(index)
        state.tick_causes.append(Cause(CauseKind.TIMEOUT, index, text))
    tell_to_stop(state, index, StageState.TIMING_OUT, text, commands)


def _kill(state: RunState, fact: TimerFired, commands: list[Command]) -> bool:
    index, current = fact.timer.stage, state.stages[fact.timer.stage]
    is_stopping = current.is_live and current is not StageState.RUNNING
    if (
        not is_stopping
        or index in state.notes.killed
        or fact.timer.attempt != state.attempts[index]
    ):
        return False
    if (index in state.notes.heard) is not (fact.timer.kind is TimerKind.CLEANUP):
        return False  # it was given more time in this very tick
    state.noting().killed.add(index)
    commands.append(KillStage(index, fact.timer.attempt))
    return True


def _retry(state: RunState, fact: TimerFired, commands: list[Command]) -> bool:
    index = fact.timer.stage
    is_current = fact.timer.attempt == state.attempts[index]
    if not is_current or state.stages[index] is not StageState.RETRYING:
        return False
    state.ready.append(index)
    return True


def _stop_guard(state: RunState, fact: TimerFired, commands: list[Command]) -> bool:
    rounds = state.notes.rounds.get(fact.timer.stage)
    if rounds is None:
        return False
    rounds.is_out_of_time = True
    return True


def _time_out_run(state: RunState, fact: TimerFired, commands: list[Command]) -> bool:
    text = out_of_time(state)
    state.is_cancelled = True  # whatever a failure sets going has had its time
    if state.phase is RunPhase.RUNNING:
        state.tick_causes.append(Cause(CauseKind.DEADLINE, None, text))
        return True
    state.noting().expected.clear()
    state.ready.clear()
    return stop_running(state, text, fact.at, commands)


def out_of_time(state: RunState) -> str:
    """What is said of a run that has used up its time."""
    return f"Run timed out after {round((state.limit_s or 0) * 1000)}ms"


_FIRED: dict[TimerKind, Callable[[RunState, TimerFired, list[Command]], bool]] = {
    TimerKind.ATTEMPT: _time_out_attempt,
    TimerKind.TOTAL: _time_out_stage,
    TimerKind.STOP: _kill,
    TimerKind.CLEANUP: _kill,
    TimerKind.RETRY: _retry,
    TimerKind.GUARD: _stop_guard,
    TimerKind.RUN: _time_out_run,
}
