"""Whether a failed attempt is followed by another one, and when.

A stage that failed is retried as its policy says, for all retries of the run together as often as
``Settings.max_retries_per_run``. One whose process died may have done its work already. It is
repeated without charge where repeating does no harm (``Effects``), and where it was the victim of
another execution as often as that happens; elsewhere its policy has to cover the loss.

It may be what killed the process. After ``Settings.max_losses_per_stage`` deaths that no other
execution is guilty of, it is a suspect: each further attempt has a process for itself. If that
dies, too, the input is poisoned, and nothing repeats it any more.
"""

from __future__ import annotations

from enum import Enum, auto

from stageflow_actors.engine.backoff import chosen_delay_s
from stageflow_actors.engine.commands import ArmTimer, Command, EmitEvent
from stageflow_actors.engine.facts import Ending, StageEnded, Timer, TimerKind
from stageflow_actors.engine.finalizers import still_run
from stageflow_actors.engine.state import RunPhase, RunState, StageState, Tries
from stageflow_actors.model.plan import StagePlan
from stageflow_actors.model.policies.effects import Effects
from stageflow_actors.model.policies.retry import RetryPolicy

_ASKED_FOR = RetryPolicy().schedule
"""What a stage without a policy gets that asks for a retry."""


class Repeat(Enum):
    """Whether there is another attempt."""

    NOT_COVERED = auto()
    FREE = auto()
    """Without charge, at once."""
    RETRY = auto()
    """As the policy says."""
    ATTEMPTS_USED_UP = auto()
    BUDGET_USED_UP = auto()
    POISONED = auto()
    """Its process died once more, with nothing else in it."""


def repeat_of(state: RunState, fact: StageEnded) -> Repeat:
    """What follows an attempt that failed, timed out or was lost."""
    stage = state.plan.stages[fact.stage]
    tries = state.notes.tries.get(fact.stage) or Tries()
    if tries.is_out_of_time or not _may_go_on(state, fact.stage):
        return Repeat.NOT_COVERED
    if fact.ending is Ending.LOST:
        if not fact.hint.is_innocent and state.is_suspect(fact.stage):
            return Repeat.POISONED
        if _is_free(stage, fact):
            return Repeat.FREE
    if not _is_covered(stage, fact):
        return Repeat.NOT_COVERED
    schedule = stage.retry or _ASKED_FOR
    if tries.retries + 1 >= schedule.max_attempts:
        return Repeat.ATTEMPTS_USED_UP
    return Repeat.RETRY if state.retries_left else Repeat.BUDGET_USED_UP


def schedule_repeat(
    state: RunState, fact: StageEnded, repeat: Repeat, commands: list[Command]
) -> None:
    """Have the stage executed again, and say so."""
    stage = state.plan.stages[fact.stage]
    tries = state.noting().tries.setdefault(fact.stage, Tries())
    schedule = stage.retry or _ASKED_FOR
    delay_s = 0.0
    if fact.ending is Ending.LOST and not fact.hint.is_innocent:
        tries.losses += 1
    if repeat is Repeat.RETRY:
        tries.retries += 1
        state.retries_left -= 1
        after_s = fact.hint.retry_after_s
        delay_s = chosen_delay_s(schedule, tries.retries, tries.delay_s, fact.chance, after_s)
        tries.delay_s = delay_s
    state.stages[fact.stage] = StageState.RETRYING
    state.retrying += 1
    data = {
        "stage": stage.name,
        "attempt": fact.attempt,
        "delay_ms": round(delay_s * 1000),
        "error": fact.reason,
        "backoff_strategy": schedule.backoff if repeat is Repeat.RETRY else "none",
    }
    ignored = fact.hint.ignored_retry_after
    if ignored:
        told = {"stage": stage.name, "ignored": ignored}
        commands.append(
            EmitEvent("stage.retry_after_ignored", fact.at, fact.stage, fact.attempt, told)
        )
    commands.append(EmitEvent("stage.retry_scheduled", fact.at, fact.stage, fact.attempt, data))
    commands.append(ArmTimer(Timer(TimerKind.RETRY, fact.stage, fact.attempt), delay_s))


def tell_exhausted(
    state: RunState, fact: StageEnded, repeat: Repeat, commands: list[Command]
) -> None:
    """Say that a policy would have retried, and may not."""
    if repeat not in (Repeat.ATTEMPTS_USED_UP, Repeat.BUDGET_USED_UP):
        return
    data = {
        "stage": state.plan.stages[fact.stage].name,
        "attempts": state.attempts[fact.stage],
        "error": fact.reason,
        "reason": "max_attempts" if repeat is Repeat.ATTEMPTS_USED_UP else "budget",
    }
    commands.append(EmitEvent("stage.retry_exhausted", fact.at, fact.stage, fact.attempt, data))


def _may_go_on(state: RunState, index: int) -> bool:
    """In a run that stops, finalizers may."""
    if state.phase is RunPhase.RUNNING:
        return True
    return bool(state.plan.stages[index].after_any) and still_run(state)


def _is_free(stage: StagePlan, fact: StageEnded) -> bool:
    if stage.effects is Effects.ONCE_ONLY:
        return False
    policy_covers = stage.retry is not None and stage.retry.covers_loss
    return stage.effects.allow_repeats or (fact.hint.is_innocent and policy_covers)


def _is_covered(stage: StagePlan, fact: StageEnded) -> bool:
    if fact.ending is Ending.RETRY:
        return True
    if stage.retry is None:
        return False
    if fact.ending is Ending.FAIL:
        return fact.hint.is_covered
    if stage.effects is Effects.ONCE_ONLY:  # it may have happened, and must not happen twice
        return False
    if fact.ending is Ending.TIMED_OUT:
        return stage.retry.covers_timeout
    return fact.ending is Ending.LOST and stage.retry.covers_loss
