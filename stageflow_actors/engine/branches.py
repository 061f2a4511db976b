"""Which stages run once what they wait for has passed, and which are skipped.

1. A stage with a route runs where its router has taken that route; else it is *unselected*.
2. A stage that depends on unselected stages only is unselected, too. One live input is enough.
3. A conditional stage is skipped where a dependency was skipped, or has a skip reason in its data.
   An unselected dependency does not count here.

A skip passes on to the conditional dependents and ends at the others, which run.
"""

from __future__ import annotations

from typing import NamedTuple

from stageflow_actors.engine.state import RunPhase, RunState
from stageflow_actors.model.plan import StagePlan


class Skip(NamedTuple):
    """Why a stage does not run. ``is_unselected``: a route passed it by."""

    reason: str
    is_unselected: bool


def release(state: RunState, stage: int) -> None:
    """Note that ``stage`` has passed, and what is ready for that while the run goes on."""
    waiting_for = state.waiting_for
    for dependent in state.plan.stages[stage].dependents:
        waiting_for[dependent] -= 1
        if not waiting_for[dependent] and state.phase is RunPhase.RUNNING:
            state.ready.append(dependent)


def skip_of(state: RunState, index: int) -> Skip | None:
    """Why stage ``index``, whose dependencies have passed, is skipped; ``None`` if it runs."""
    stage = state.plan.stages[index]
    if stage.router is not None:
        reason = _off_route(state, stage, stage.router)
        if reason is not None:
            return Skip(reason, is_unselected=True)
    unselected = state.unselected
    if unselected and stage.dependencies and unselected.keys() >= set(stage.dependencies):
        return Skip(unselected[stage.dependencies[0]], is_unselected=True)
    if stage.conditional:
        for dependency in stage.dependencies:
            if dependency in state.skip_reasons:
                return Skip(state.skip_reasons[dependency], is_unselected=False)
    return None


def _off_route(state: RunState, stage: StagePlan, router: int) -> str | None:
    if router in state.unselected:
        return state.unselected[router]
    taken = state.taken.get(router)
    name = state.plan.stages[router].name
    if taken is None:
        return f"'{name}' was skipped and took no route"
    return None if taken in stage.route else f"'{name}' took route '{taken}'"
