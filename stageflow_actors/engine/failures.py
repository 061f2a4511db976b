"""What becomes of a failed attempt.

The first of these that applies: it is retried; a guard's rejection has its producer run again; the
stage's fallback stands in for its output; the run goes on without it, as its mode says; the run
stops. Each is told with ``stage.error``. What is poisoned is not retried.
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import Any

from stageflow_actors.engine.attempts import close_stage
from stageflow_actors.engine.branches import release
from stageflow_actors.engine.commands import Command, EmitEvent, FallBack
from stageflow_actors.engine.facts import Ending, StageEnded
from stageflow_actors.engine.guards import take_rejection
from stageflow_actors.engine.retries import (
    Repeat,
    repeat_of,
    schedule_repeat,
    tell_exhausted,
)
from stageflow_actors.engine.state import RunPhase, RunState, StageState
from stageflow_actors.engine.verdict import Cause, CauseKind
from stageflow_actors.errors import PoisonedInputError, StageTimeoutError

_BODY_TIMES = ("began_at", "ended_at")
_TIMES = ("duration_ms", *_BODY_TIMES)


class Action(StrEnum):
    """What was done about a failure: ``action_taken`` of ``stage.error``."""

    RETRY = "retry"
    GUARD_RETRY = "guard_retry"
    FALLBACK = "fallback"
    CONTINUE = "continue"
    STOP_RUN = "stop_run"


def settle_failure(state: RunState, fact: StageEnded, commands: list[Command]) -> None:
    """Decide on an attempt that failed, timed out or was lost while its run went on."""
    repeat = repeat_of(state, fact)
    if repeat in (Repeat.FREE, Repeat.RETRY):
        schedule_repeat(state, fact, repeat, commands)
        _tell(state, fact, Action.RETRY, commands)
        return
    if repeat is Repeat.POISONED:
        fact = _poison(state, fact)
    tell_exhausted(state, fact, repeat, commands)
    if take_rejection(state, fact, commands):
        _tell(state, fact, Action.GUARD_RETRY, commands)
        return
    _end_as_failed(state, fact, commands)
    stage = state.plan.stages[fact.stage]
    if stage.fallback is not None:
        state.stages[fact.stage] = StageState.FELL_BACK
        commands.append(FallBack(fact.stage, fact.at))
        release(state, fact.stage)
        action = Action.FALLBACK
    elif stage.mode.is_tolerant:
        state.noting().tolerated[fact.stage] = fact.reason
        release(state, fact.stage)
        action = Action.CONTINUE
    else:
        kind = CauseKind.TIMEOUT if fact.ending is Ending.TIMED_OUT else CauseKind.FAILURE
        state.tick_causes.append(Cause(kind, fact.stage, fact.reason))
        action = Action.STOP_RUN
    close_stage(state, fact.stage, commands)
    _tell(state, fact, action, commands)


def fail_while_stopping(state: RunState, fact: StageEnded, commands: list[Command]) -> None:
    """Take a failure about which nothing can be done any more: the run stops."""
    _end_as_failed(state, fact, commands)
    close_stage(state, fact.stage, commands)
    _tell(state, fact, Action.STOP_RUN, commands)


def _end_as_failed(state: RunState, fact: StageEnded, commands: list[Command]) -> None:
    """Failed, or timed out, for good."""
    name = state.plan.stages[fact.stage].name
    data: Any = fact.detail
    if fact.ending is Ending.TIMED_OUT:
        state.stages[fact.stage] = StageState.TIMED_OUT
        state.noting().timeout_texts[fact.stage] = fact.reason
        data = timeout_detail(fact)
    else:
        state.stages[fact.stage] = StageState.FAILED
    commands.append(EmitEvent(f"stage.{name}.failed", fact.at, fact.stage, fact.attempt, data))


def _poison(state: RunState, fact: StageEnded) -> StageEnded:
    """Note what is poisoned; its end, with what is said of that."""
    deaths = state.notes.tries[fact.stage].losses + 1
    text = f"Its process died {deaths} times, the last time while it worked on nothing else."
    state.noting().poisoned[fact.stage] = text
    error_type, code = PoisonedInputError.__name__, PoisonedInputError.default_code
    detail = {**fact.detail, "error": text, "error_type": error_type, "code": code}
    return replace(fact, reason=text, detail=detail)


def would_stop_run(state: RunState, index: int) -> bool:
    """Whether a final failure of this stage stops its run."""
    stage = state.plan.stages[index]
    is_first = state.phase is RunPhase.RUNNING
    return is_first and stage.fallback is None and not stage.mode.is_tolerant


def timeout_detail(fact: StageEnded) -> dict[str, Any]:
    """What the event about a timeout says."""
    return {
        "status": "timed_out",
        **{name: fact.detail[name] for name in _TIMES if name in fact.detail},
        "error": fact.reason,
        "error_type": StageTimeoutError.__name__,
        "code": StageTimeoutError.default_code,
    }


def _tell(state: RunState, fact: StageEnded, action: Action, commands: list[Command]) -> None:
    stage = state.plan.stages[fact.stage]
    is_timeout = fact.ending is Ending.TIMED_OUT
    detail = timeout_detail(fact) if is_timeout else fact.detail
    data = {
        "stage": stage.name,
        "error": fact.reason,
        "error_type": detail.get("error_type"),
        "code": detail.get("code"),
        "execution_mode": stage.mode.value,
        "action_taken": action.value,
        **{name: detail[name] for name in _BODY_TIMES if name in detail},
    }
    commands.append(EmitEvent("stage.error", fact.at, fact.stage, fact.attempt, data))
