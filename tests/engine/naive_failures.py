"""What becomes of a failure, in the naive model of a run."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from stageflow_actors.engine.facts import Ending, StageEnded
from stageflow_actors.model.policies.effects import Effects

if TYPE_CHECKING:
    from tests.engine.naive import NaiveRun

HARMLESS = (Effects.NONE, Effects.KEYED)
ATTEMPTS_WITHOUT_A_POLICY = 3


def repeat_of(run: NaiveRun, fact: StageEnded) -> str | None:
    """What kind of repeat follows an attempt that failed, if any."""
    stage, lately = run.plan.stages[fact.stage], run.lately(fact.stage)
    if "out of time" in lately:
        return None
    if run.cause is not None and not run.is_finalizer(fact.stage):
        return None
    if stage.effects is Effects.ONCE_ONLY and fact.ending in (Ending.LOST, Ending.TIMED_OUT):
        return None
    is_harmless, policy = stage.effects in HARMLESS, stage.retry
    if fact.ending is Ending.LOST:
        covers = policy is not None and policy.covers_loss
        if fact.hint.is_innocent and (is_harmless or covers):
            return "innocent loss"
        if is_poisoned(run, fact):
            return None
        if is_harmless and not fact.hint.is_innocent:
            return "loss"
    return "retry" if is_covered(run, fact) and has_retries_left(run, fact.stage) else None


def is_death(fact: StageEnded) -> bool:
    """It died, and nobody else is guilty of that."""
    return fact.ending is Ending.LOST and not fact.hint.is_innocent


def is_alone(run: NaiveRun, index: int) -> bool:
    """What dies as often is given a process for itself."""
    return run.lately(index).count("death") >= run.settings.max_losses_per_stage


def is_poisoned(run: NaiveRun, fact: StageEnded) -> bool:
    """This death, which is in the history already, is the one that is too many."""
    deaths = run.lately(fact.stage).count("death")
    return is_death(fact) and deaths == run.settings.max_losses_per_stage + 1


def is_covered(run: NaiveRun, fact: StageEnded) -> bool:
    policy = run.plan.stages[fact.stage].retry
    if fact.ending is Ending.RETRY:
        return True
    if policy is None:
        return False
    covered = {
        Ending.FAIL: fact.hint.is_covered,
        Ending.TIMED_OUT: policy.covers_timeout,
        Ending.LOST: policy.covers_loss,
    }
    return covered[fact.ending]


def has_retries_left(run: NaiveRun, index: int) -> bool:
    policy = run.plan.stages[index].retry
    most = ATTEMPTS_WITHOUT_A_POLICY if policy is None else policy.max_attempts
    of_the_run = sum(what == "retry" for what, _stage, _detail in run.history)
    in_use = run.lately(index).count("retry")
    return in_use < most - 1 and of_the_run < run.settings.max_retries_per_run


def is_rejection(run: NaiveRun, fact: StageEnded) -> bool:
    is_guard = run.plan.stages[fact.stage].guard is not None
    is_returned = fact.ending is Ending.FAIL and fact.hint.is_rejection
    return is_guard and is_returned and run.cause is None


def is_exhausted(run: NaiveRun, guard: int) -> bool:
    """Too late, too often, or too often the same; the last rejection is in the history already."""
    policy, lately = run.plan.stages[guard].guard, run.lately(guard, since="over")
    rejections = lately.count("rejected")
    prints = [detail for what, stage, detail in run.history if (what, stage) == ("rejected", guard)]
    current = prints[-rejections:]
    same = len(list(takewhile(lambda each: each == current[-1], reversed(current))))
    return (
        "guard out of time" in lately
        or rejections >= policy.max_attempts
        or same > policy.stagnation_limit
    )
