"""What the receipts of a run come to, seen beside what the engine has decided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stageflow_actors.actors.messages import Receipt, StageEnd
from stageflow_actors.actors.sealing import SealedOutput
from stageflow_actors.engine.state import RunState, StageState
from stageflow_actors.model.inputs import MissingInput
from stageflow_actors.model.plan import StagePlan

_OK = StageState.OK  # looked up once, as nearly every stage ends so


def missing_inputs(state: RunState, stage: StagePlan) -> dict[str, MissingInput]:
    """The optional inputs that a failure has left ``stage`` without."""
    found = {}
    for other in stage.optional:
        if other in state.notes.tolerated:
            missing = MissingInput(state.stages[other].value, state.notes.tolerated[other])
        elif other in state.notes.blocked:
            missing = MissingInput("skipped", state.notes.blocked[other])
        else:
            continue
        found[state.plan.stages[other].name] = missing
    return found


def tolerated(state: RunState) -> tuple[str, ...]:
    """The failed stages that the run went on without, or with their fallback."""
    return tuple(
        stage.name
        for index, stage in enumerate(state.plan.stages)
        if index in state.notes.tolerated or state.stages[index] is StageState.FELL_BACK
    )


def judged(
    state: RunState, index: int, receipt: Receipt, outputs: Mapping[int, SealedOutput]
) -> StageEnd:
    """The end of a stage: its last receipt, with what the engine has made of it.

    Its attempt is the number of the last one, and 0 for none: a skip is no execution.
    """
    end = StageEnd(state.plan.stages[index].name, state.attempts[index], receipt)
    current, notes = state.stages[index], state.notes
    if current is _OK:
        return end
    if current is StageState.FELL_BACK:
        end = end._replace(fell_back=outputs[index])
    text = notes.timeout_texts.get(index)
    if text is not None and current is not StageState.INTERRUPTED:
        return end._replace(timed_out=text)
    if index in notes.poisoned:
        return end._replace(poisoned=notes.poisoned[index])
    if receipt.failure is not None and current is StageState.INTERRUPTED:
        return end._replace(gave_up="" if state.cause is None else state.cause.reason)
    return end


def detail_of(receipt: Receipt) -> dict[str, Any]:
    """What the event about the end of a stage says."""
    detail: dict[str, Any] = {
        "status": receipt.ending,
        "duration_ms": int((receipt.ended_at - receipt.started_at) * 1000),
        "began_at": receipt.started_at,
        "ended_at": receipt.ended_at,
    }
    failure = receipt.failure
    if failure is not None:
        detail["error"] = failure.message
        detail["error_type"] = failure.error_type
        detail["code"] = failure.code
    elif receipt.reason:
        detail["reason"] = receipt.reason
    return detail
