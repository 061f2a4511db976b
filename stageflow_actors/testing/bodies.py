"""What one execution of a stage does, drawn by chance before it begins."""

from __future__ import annotations

from enum import Enum, auto
from random import Random
from typing import NamedTuple

from stageflow_actors.engine.facts import NO_HINT, Ending, FailureHint, Signal
from stageflow_actors.model.plan import Plan, StagePlan
from stageflow_actors.testing.faults import FaultKind, FaultPlan

_ENDINGS = (
    *[Ending.OK] * 60,
    *[Ending.SKIP] * 4,
    *[Ending.RETRY] * 2,
    *[Ending.CANCEL_BRANCH] * 2,
    Ending.CANCEL,
    Ending.INTERRUPTED,
    Ending.TIMED_OUT,
)
_ANSWERS = (Ending.OK, Ending.SKIP, Ending.FAIL, Ending.RETRY, Ending.CANCEL, Ending.CANCEL_BRANCH)
_DEATHS = (FaultKind.DIES, FaultKind.POISON)
_LOSSES = (*_DEATHS, FaultKind.REPLY_LOST, FaultKind.INNOCENT_KILL)
_LENGTHS = (0.0, *[0.25] * 4, *[0.5] * 4, *[0.75] * 2, 1.0, 1.5)


class Manner(Enum):
    """What a body does when it is told to stop."""

    HEEDS = auto()
    """It stops in time."""
    ANSWERS = auto()
    """It ends in time, in a way of its own."""
    GOES_ON = auto()
    """It ends as it would have ended."""
    IS_SLOW = auto()
    """It says that it stops, and takes longer than others may."""
    IS_DEAF = auto()
    """It never ends."""


class Script(NamedTuple):
    """One execution. Times are in seconds from its start; ``length_s`` is ``None`` for ever.

    ``told`` is the ending that is reported. ``answer`` is how a body ends that answers a stop.
    ``fault`` counts once the body has ended by itself, or has been killed if it never does.
    """

    length_s: float | None
    effect_s: float | None
    told: Ending
    manner: Manner
    answer: Ending = Ending.CANCEL
    hint: FailureHint = NO_HINT
    signal: Signal | None = None
    fault: FaultKind | None = None


def draw_script(
    random: Random,
    plan: Plan,
    index: int,
    faults: FaultPlan,
    *,
    may_hang: bool,
    is_poisoned: bool,
) -> Script:
    """What the next execution of stage ``index`` does.

    ``may_hang``: something will have it stopped at last. ``is_poisoned``: its input has killed its
    process before, and does so again.
    """
    stage = plan.stages[index]
    fault = faults.draw_for_body(_impossible(stage, may_hang=may_hang))
    if is_poisoned:
        fault = FaultKind.POISON
    unit_s = stage.timeout_s or stage.total_s or 1.0
    length_s = random.choice(_LENGTHS) * unit_s
    effect_s = random.choice((0.0, 0.5, 1.0)) * length_s if random.random() < 0.7 else None
    manner = _draw_manner(random, faults)
    if fault is FaultKind.HANGS:
        return Script(None, effect_s, Ending.LOST, Manner.IS_DEAF, fault=fault)
    told, hint = _draw_end(random, stage, fault)
    if fault is FaultKind.REPLY_LOST and effect_s is None:
        effect_s = length_s
    if fault in _DEATHS and effect_s == length_s:
        effect_s = None  # it did not get that far
    signal = _draw_signal(random, plan, index) if told is Ending.OK else None
    return Script(
        length_s, effect_s, told, manner, random.choice(_ANSWERS), hint, signal, fault=fault
    )


def _impossible(stage: StagePlan, *, may_hang: bool) -> set[FaultKind]:
    found = set()
    if not may_hang:
        found.add(FaultKind.HANGS)
    if stage.guard is None:
        found.add(FaultKind.GUARD_REJECTS)
    if stage.retry is None:
        found.add(FaultKind.TRANSIENT_ERROR)
    return found


def _draw_manner(random: Random, faults: FaultPlan) -> Manner:
    if faults.strikes(FaultKind.IGNORES_STOP, 0.25):
        return Manner.IS_DEAF
    if faults.strikes(FaultKind.SLOW_STOP, 0.4):
        return Manner.IS_SLOW
    return random.choice((Manner.HEEDS, Manner.HEEDS, Manner.ANSWERS, Manner.GOES_ON))


def _draw_end(
    random: Random, stage: StagePlan, fault: FaultKind | None
) -> tuple[Ending, FailureHint]:
    has_policy = stage.retry is not None
    if fault in _LOSSES:
        return Ending.LOST, FailureHint(is_innocent=fault is FaultKind.INNOCENT_KILL)
    if fault is FaultKind.TRANSIENT_ERROR:
        return Ending.FAIL, FailureHint(is_covered=True)
    if fault is FaultKind.RAISES:
        return Ending.FAIL, NO_HINT
    if fault is FaultKind.GUARD_REJECTS:
        return Ending.FAIL, FailureHint(is_rejection=True, fingerprint=random.choice("ab"))
    if fault is FaultKind.RETRY_AFTER:
        ending = random.choice((Ending.FAIL, Ending.RETRY))
        is_covered = has_policy or ending is Ending.RETRY
        if random.random() < 0.2:
            return ending, FailureHint(is_covered, None, "it is negative")
        return ending, FailureHint(is_covered, random.choice((0.0, 0.25, 1.0, 3.0)))
    ending = random.choice(_ENDINGS)
    return ending, FailureHint(is_covered=ending is Ending.RETRY)


def _draw_signal(random: Random, plan: Plan, index: int) -> Signal | None:
    reason = "nothing to do" if random.random() < 0.15 else ""
    routes = plan.routes_of(index)
    if routes:
        route = random.choice(routes)
        return Signal(reason, route, {"selected_route": route})
    return Signal(reason) if reason else None
