"""Which stages run once what they wait for has passed, and which are skipped.

1. A stage with a route runs where its router has taken that route; else it is *unselected*.
2. A stage that depends on unselected stages only is unselected, too. One live input is enough. One
   that cancelled its branch counts as unselected here.
3. A stage that requires a failed one, or one that is blocked itself, is *blocked*. Required are
   ``dependencies`` but those that are ``optional``, ``after``, guards and, always, the router. A
   guard that fell back, or cancelled its branch, has let nothing pass either.
4. A conditional stage is skipped where a dependency was skipped, or has a skip reason in its data.
   An unselected or blocked dependency does not count here.

A skip passes on to the conditional dependents and ends at the others, which run.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple

from stageflow_actors.engine.state import RunPhase, RunState, StageState
from stageflow_actors.model.plan import StagePlan

_RUNNING = RunPhase.RUNNING
_NO_PASS = (StageState.FELL_BACK, StageState.BRANCH_CANCELLED)
"""Neither says that what a guard has judged is good."""


class SkipKind(Enum):
    """Which rule skips a stage."""

    UNSELECTED = auto()
    BLOCKED = auto()
    CONDITIONAL = auto()


class Skip(NamedTuple):
    """Why a stage does not run."""

    reason: str
    kind: SkipKind


def release(state: RunState, stage: int) -> None:
    """Note that ``stage`` has passed, and what is ready for that while the run goes on."""
    waiting_for = state.waiting_for
    for dependent in state.plan.stages[stage].dependents:
        waiting_for[dependent] -= 1
        if not waiting_for[dependent] and state.phase is _RUNNING:
            state.ready.append(dependent)


def take_back(state: RunState, stage: int) -> None:
    """Note that ``stage``, which had passed, has not: the stages behind it wait for it again."""
    for dependent in state.plan.stages[stage].dependents:
        state.waiting_for[dependent] += 1


def skip_of(state: RunState, index: int) -> Skip | None:
    """Why stage ``index``, whose dependencies have passed, is skipped; ``None`` if it runs."""
    stage = state.plan.stages[index]
    if stage.router is not None:
        reason = _off_route(state, stage, stage.router)
        if reason is not None:
            return Skip(reason, SkipKind.UNSELECTED)
    notes = state.notes
    unselected = notes.unselected
    if unselected and stage.dependencies and unselected.keys() >= set(stage.dependencies):
        return Skip(unselected[stage.dependencies[0]], SkipKind.UNSELECTED)
    may_lack = notes.tolerated or notes.blocked or stage.gates
    reason = _lacks(state, stage) if may_lack else None
    if reason is not None:
        return Skip(reason, SkipKind.BLOCKED)
    if stage.conditional:
        for dependency in stage.dependencies:
            if dependency in state.notes.skip_reasons:
                return Skip(state.notes.skip_reasons[dependency], SkipKind.CONDITIONAL)
    return None


def note_skip(state: RunState, index: int, skip: Skip) -> None:
    """Remember it for the stages behind."""
    notes = state.noting()
    noted = {
        SkipKind.UNSELECTED: notes.unselected,
        SkipKind.BLOCKED: notes.blocked,
        SkipKind.CONDITIONAL: notes.skip_reasons,
    }
    noted[skip.kind][index] = skip.reason


def forget(state: RunState, index: int) -> None:
    """Nothing that was noted of this stage counts any more: it runs again."""
    notes = state.noting()
    for noted in (
        notes.taken,
        notes.unselected,
        notes.blocked,
        notes.skip_reasons,
        notes.tolerated,
        notes.timeout_texts,
        notes.poisoned,
    ):
        noted.pop(index, None)


def _off_route(state: RunState, stage: StagePlan, router: int) -> str | None:
    if router in state.notes.unselected:
        return state.notes.unselected[router]
    taken = state.notes.taken.get(router)
    if router in state.notes.tolerated or router in state.notes.blocked:
        return None  # rule 3 says better why
    name = state.plan.stages[router].name
    if taken is None:
        how = "fell back" if state.stages[router] is StageState.FELL_BACK else "was skipped"
        return f"'{name}' {how} and took no route"
    return None if taken in stage.route else f"'{name}' took route '{taken}'"


def _lacks(state: RunState, stage: StagePlan) -> str | None:
    """What it requires and does not get, with the reasons for that, one after the other."""
    for other in stage.strict:
        if other in stage.optional and other != stage.router:
            continue
        name = state.plan.stages[other].name
        if other in state.notes.tolerated:
            return f"'{name}' failed: {state.notes.tolerated[other]}"
        if other in state.notes.blocked:
            return f"'{name}' was skipped: {state.notes.blocked[other]}"
    for guard in stage.gates:
        if state.stages[guard] in _NO_PASS:
            name = state.plan.stages[guard].name
            return f"'{name}' let nothing pass: it ended as {state.stages[guard].value}"
    return None
