"""Guards: a rejection has the producer, and all between it and the guard, run again."""

from __future__ import annotations

from typing import Any

from stageflow_actors.engine.branches import forget, take_back
from stageflow_actors.engine.commands import (
    ArmTimer,
    Command,
    DisarmTimer,
    EmitEvent,
    ForgetStage,
)
from stageflow_actors.engine.facts import StageEnded, Timer, TimerKind
from stageflow_actors.engine.state import GuardRounds, RunPhase, RunState, StageState
from stageflow_actors.model.guard_regions import GuardPlan


def take_rejection(state: RunState, fact: StageEnded, commands: list[Command]) -> bool:
    """Have the producer run again, unless it has had its chances; whether it does."""
    guard = state.plan.stages[fact.stage].guard
    if guard is None or not fact.hint.is_rejection or state.phase is not RunPhase.RUNNING:
        return False
    rounds = state.noting().rounds.setdefault(fact.stage, GuardRounds())
    _count(rounds, fact.hint.fingerprint)
    told = _told(state, fact, guard, rounds)
    commands.append(_event("attempt", fact, told))
    if rounds.rejections == 1 and guard.timeout_s is not None:
        commands.append(ArmTimer(Timer(TimerKind.GUARD, fact.stage), guard.timeout_s))
    exhausted = _exhausted(guard, rounds) or (None if state.repeats_left else "budget")
    if exhausted is not None:
        why = {**told, "attempts": rounds.rejections, "reason": exhausted}
        commands.append(_event("exhausted", fact, why))
        return False
    state.repeats_left -= 1
    commands.append(_event("scheduled", fact, told))
    _rewind(state, fact.stage, guard, commands)
    return True


def note_pass(state: RunState, fact: StageEnded, commands: list[Command]) -> None:
    """Say that a guard that rejected before now lets pass."""
    rounds = state.notes.rounds.get(fact.stage)
    if rounds is not None and rounds.rejections:
        told = {"guard": state.plan.stages[fact.stage].name, "attempts": rounds.rejections + 1}
        commands.append(_event("recovered", fact, told))


def disarm_guard(state: RunState, index: int, commands: list[Command]) -> None:
    """Forget the rounds of a guard that has ended for good, and their time limit."""
    guard, rounds = state.plan.stages[index].guard, state.noting().rounds.pop(index, None)
    if guard is not None and guard.timeout_s is not None and rounds is not None:
        commands.append(DisarmTimer(Timer(TimerKind.GUARD, index)))


def _count(rounds: GuardRounds, fingerprint: str) -> None:
    rounds.rejections += 1
    is_same = rounds.rejections > 1 and fingerprint == rounds.fingerprint
    rounds.stagnation = rounds.stagnation + 1 if is_same else 1
    rounds.fingerprint = fingerprint


def _exhausted(guard: GuardPlan, rounds: GuardRounds) -> str | None:
    if rounds.is_out_of_time:
        return "timeout"
    # A limit of n lets the producer run n + 1 times where nothing changes at all.
    if rounds.stagnation > guard.stagnation_limit:
        return "stagnation"
    return "max_attempts" if rounds.rejections >= guard.max_attempts else None


def _rewind(state: RunState, guard_index: int, guard: GuardPlan, commands: list[Command]) -> None:
    """Everything in the region waits again, the producer for nothing."""
    for index in guard.region:
        if index == guard_index:  # it alone has not ended for good, which closes what it has
            if state.plan.stages[index].total_s is not None:
                commands.append(DisarmTimer(Timer(TimerKind.TOTAL, index)))
        else:
            state.remaining += 1
            take_back(state, index)
        forget(state, index)
        state.noting().tries.pop(index, None)
        state.noting().feedback.pop(index, None)
        state.stages[index] = StageState.WAITING
        commands.append(ForgetStage(index))
    state.noting().feedback[guard.producer] = guard_index
    state.ready.append(guard.producer)


def _told(
    state: RunState, fact: StageEnded, guard: GuardPlan, rounds: GuardRounds
) -> dict[str, Any]:
    return {
        "guard": state.plan.stages[fact.stage].name,
        "attempt": rounds.rejections,
        "retry_stage": state.plan.stages[guard.producer].name,
        "max_attempts": guard.max_attempts,
        "stagnation_hits": rounds.stagnation - 1,
        "timeout_seconds": guard.timeout_s,
        "reason": fact.reason,
    }


def _event(word: str, fact: StageEnded, data: dict[str, Any]) -> EmitEvent:
    return EmitEvent(f"guard_retry.{word}", fact.at, fact.stage, fact.attempt, data)
