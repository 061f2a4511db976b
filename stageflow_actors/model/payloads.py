"""A payload with a short summary of it, as the output of a stage and as the input of the next.

They stand in the output's data under ``payload`` and ``summary``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, overload

from stageflow_actors.model.inputs import StageInputs
from stageflow_actors.model.output import StageOutput
from stageflow_actors.model.results import PipelineResults
from stageflow_actors.model.stage_context import StageContext

Payload = TypeVar("Payload")
Expected = TypeVar("Expected")
_PAYLOAD, _SUMMARY = "payload", "summary"


@dataclass(frozen=True, slots=True)
class StagePayloadResult(Generic[Payload]):
    """What a stage made, and what there is to say about it."""

    payload: Payload
    summary: Mapping[str, Any] = field(default_factory=dict)

    def to_data(self) -> dict[str, Any]:
        """The data of an output."""
        return {_PAYLOAD: self.payload, _SUMMARY: dict(self.summary)}


def ok_output(result: StagePayloadResult[Any]) -> StageOutput:
    """Success with ``result``."""
    return StageOutput.ok(result.to_data())


def cancel_output(result: StagePayloadResult[Any], *, reason: str = "") -> StageOutput:
    """Stop the run; what was made so far is kept."""
    return StageOutput.cancel(reason, result.to_data())


def fail_output(
    error: str, *, payload: Any = None, summary: Mapping[str, Any] | None = None
) -> StageOutput:
    """Failure; what was made so far is kept."""
    return StageOutput.fail(error, StagePayloadResult(payload, summary or {}).to_data())


def summary_from_output(output: StageOutput) -> Mapping[str, Any]:
    """The summary of an output; empty where it has none."""
    summary: Mapping[str, Any] = output.data.get(_SUMMARY, {})
    return summary


@overload
def payload_from_inputs(
    inputs: StageContext | StageInputs, stage: str, *, expected_type: type[Expected]
) -> Expected: ...
@overload
def payload_from_inputs(inputs: StageContext | StageInputs, stage: str) -> Any: ...
def payload_from_inputs(
    inputs: StageContext | StageInputs, stage: str, *, expected_type: type[Any] | None = None
) -> Any:
    """The payload that the dependency ``stage`` offers.

    Raises:
        UndeclaredDependencyError: ``stage`` is not a dependency.
        KeyError: its output has no payload.
        TypeError: the payload is not of ``expected_type``.
    """
    given = inputs.inputs if isinstance(inputs, StageContext) else inputs
    return _checked(given.require_from(stage, _PAYLOAD), stage, expected_type)


@overload
def payload_from_results(
    results: PipelineResults, stage: str, *, expected_type: type[Expected]
) -> Expected: ...
@overload
def payload_from_results(results: PipelineResults, stage: str) -> Any: ...
def payload_from_results(
    results: PipelineResults, stage: str, *, expected_type: type[Any] | None = None
) -> Any:
    """The payload of ``stage`` in the results of a run; the stage must be ok.

    Raises:
        KeyError: it did not finish, or its output has no payload.
        RuntimeError: it ended otherwise than ok.
        TypeError: the payload is not of ``expected_type``.
    """
    data = results.require_ok(stage).data
    if _PAYLOAD not in data:
        available = ", ".join(map(str, data)) or "none"
        raise KeyError(f"Stage '{stage}' has no payload; it has: {available}.")
    return _checked(data[_PAYLOAD], stage, expected_type)


def _checked(payload: Any, stage: str, expected: type[Any] | None) -> Any:
    if expected is not None and not isinstance(payload, expected):
        raise TypeError(
            f"The payload of stage '{stage}' is {type(payload).__qualname__}, "
            f"and {expected.__qualname__} was expected."
        )
    return payload
