"""Which stages still run in a run that a failure or a timeout has stopped: those ``after_any``.

Such a stage starts once every stage it names there has ended or will never start, if its other
edges allow it: ``dependencies`` and ``after`` must have passed. One that is running already is not
told to stop. A cancel ends that, and so do the run's own deadline and an escalation: from then on
nothing starts.
"""

from __future__ import annotations

from stageflow_actors.engine.state import RunState, StageState
from stageflow_actors.engine.verdict import CauseKind

_STOPPED_BY_FAILURE = frozenset({CauseKind.FAILURE, CauseKind.TIMEOUT})


def still_run(state: RunState) -> bool:
    """Whether finalizers run in this run, which stops."""
    cause = state.cause
    return cause is not None and cause.kind in _STOPPED_BY_FAILURE and not state.is_cancelled


def expect(state: RunState) -> None:
    """Note which may still start, now that the run stops, and what is ready for that."""
    expected = state.noting().expected
    for index in state.plan.finalizers:
        stage = state.plan.stages[index]
        before = (*stage.strict, *stage.after_any)
        if state.stages[index] is StageState.WAITING and all(
            state.has_passed(other) or _is_open(state, other) for other in stage.strict
        ):
            expected[index] = sum(_is_open(state, other) for other in before)
            if not expected[index]:
                state.ready.append(index)


def note_over(state: RunState, stage: int) -> None:
    """Note that ``stage`` has ended, or was skipped, and what is ready for that."""
    expected, over = state.noting().expected, [stage]
    while over:
        before = over.pop()
        for index in state.plan.stages[before].dependents:
            if index not in expected:
                continue
            if not state.has_passed(before) and before in state.plan.stages[index].strict:
                del expected[index]  # it never starts, which others may have waited for
                over.append(index)
                continue
            expected[index] -= 1
            if not expected[index]:
                state.ready.append(index)


def _is_open(state: RunState, index: int) -> bool:
    return state.stages[index].is_open or index in state.notes.expected
