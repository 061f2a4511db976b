"""Which stages do not run and why, in the naive model of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stageflow_actors.engine.state import StageState

if TYPE_CHECKING:
    from tests.engine.naive import NaiveRun


def why_not(run: NaiveRun, index: int) -> str | None:
    """Why a stage, whose turn it is, does not run."""
    for reason in (why_unselected(run, index), why_blocked(run, index)):
        if reason is not None:
            return reason
    stage = run.plan.stages[index]
    reasons = [why_skipped(run, needed) for needed in stage.dependencies if stage.conditional]
    return next((reason for reason in reasons if reason is not None), None)


def why_unselected(run: NaiveRun, index: int) -> str | None:
    stage = run.plan.stages[index]
    if not has_not_run(run, index) and index not in run.left:
        return None
    if index in run.left:
        return f"'{stage.name}' cancelled its branch: {run.left[index]}"
    if stage.router is not None:
        reason = why_unselected(run, stage.router)
        if reason is not None:
            return reason
        if stage.router not in run.tolerated and why_blocked(run, stage.router) is None:
            name, route = run.plan.stages[stage.router].name, run.routes.get(stage.router)
            fell_back = run.stages[stage.router] is StageState.FELL_BACK
            if route is None:
                return f"'{name}' {'fell back' if fell_back else 'was skipped'} and took no route"
            if route not in stage.route:
                return f"'{name}' took route '{route}'"
    reasons = [why_unselected(run, needed) for needed in stage.dependencies]
    return reasons[0] if reasons and None not in reasons else None


def why_blocked(run: NaiveRun, index: int) -> str | None:
    """It lacks what it requires, if it is not unselected anyway."""
    if not has_not_run(run, index) or why_unselected(run, index) is not None:
        return None
    stage = run.plan.stages[index]
    for needed in (*stage.dependencies, *stage.after, *stage.gates):
        name = run.plan.stages[needed].name
        if needed in stage.optional and needed != stage.router:
            continue
        if needed in run.tolerated:
            return f"'{name}' failed: {run.tolerated[needed]}"
        reason = why_blocked(run, needed)
        if reason is not None:
            return f"'{name}' was skipped: {reason}"
    for guard in stage.gates:
        ended = run.stages[guard]
        if ended in (StageState.FELL_BACK, StageState.BRANCH_CANCELLED):
            return f"'{run.plan.stages[guard].name}' let nothing pass: it ended as {ended.value}"
    return None


def has_not_run(run: NaiveRun, index: int) -> bool:
    return run.stages[index] in (StageState.WAITING, StageState.SKIPPED)


def why_skipped(run: NaiveRun, index: int) -> str | None:
    if why_unselected(run, index) is not None or why_blocked(run, index) is not None:
        return None
    return run.not_run.get(index, run.said.get(index))
