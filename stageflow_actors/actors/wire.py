"""Messages of a supervisor and its stages as they travel: as plain tuples.

These pickle and unpickle several times faster than the classes that stand for them here and there.

A ``Payload`` travels as a tuple, too: where an output is expected, nothing else is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stageflow_actors.actors.codec import FarOutput, Payload
from stageflow_actors.actors.failures import failure_to_wire
from stageflow_actors.actors.messages import (
    Assignment,
    Envelope,
    Execution,
    Receipt,
)
from stageflow_actors.actors.sealing import SealedOutput, output_to_payload

Wire = tuple[Any, ...]
_make: Any = tuple.__new__
"""A named tuple of so many values, without counting them: they were one before."""


def inputs_to_wire(work: Assignment) -> tuple[dict[str, Any], int, bool]:
    """What a stage reads, for its process; how many bytes that is; whether anything is far."""
    inputs: dict[str, Any] = {}
    size, rejected = 0, None if work.rejection is None else work.rejection.output
    has_far = type(rejected) is FarOutput
    for name, output in work.inputs.items():
        if type(output) is Payload:
            inputs[name] = tuple(output)
            size += output.size
        else:
            inputs[name] = output
            has_far = has_far or type(output) is FarOutput
    return inputs, size, has_far


def envelope_to_wire(
    execution: Execution, view: Wire, started_ms: int, work: Assignment, inputs: Mapping[str, Any]
) -> Wire:
    """For a stage's process; of what ``inputs_to_wire`` has made."""
    return execution, view, started_ms, inputs, work[2:]


def execution_in(wire: Wire) -> Execution:
    """Which one an envelope is about."""
    execution: Execution = wire[0]
    return execution


def envelope_of(wire: Wire) -> Envelope:
    """What ``envelope_to_wire`` was given."""
    (run, stage, attempt), view, started_ms, inputs, more = wire
    opened = {name: output_of(output) for name, output in inputs.items()}
    return Envelope(run, stage, Payload(*view), started_ms, Assignment(attempt, opened, *more))


def without_objects(receipt: Receipt) -> Receipt:
    """``receipt`` with everything of the user's as bytes, for another process."""
    output, failure = receipt.output, receipt.failure
    if output is not None:
        receipt = receipt._replace(output=output_to_payload(output))
    if failure is not None:
        receipt = receipt._replace(failure=failure_to_wire(failure))
    return receipt


def receipt_to_wire(receipt: Receipt) -> Wire:
    """For another process; its user data are bytes already."""
    return (*receipt[:3], output_to_wire(receipt.output), *receipt[4:])


def receipt_of(wire: Wire) -> Receipt:
    """What ``receipt_to_wire`` was given."""
    receipt: Receipt = _make(Receipt, (*wire[:3], output_of(wire[3]), *wire[4:]))
    return receipt


def size_of(receipt: Receipt) -> int:
    """About how many bytes it has on its way."""
    output = receipt.output
    return _RECEIPT_SIZE + (output.size if type(output) is Payload else 0)


_RECEIPT_SIZE = 100


def output_to_wire(output: SealedOutput | None) -> Any:
    """As part of a message."""
    return tuple(output) if type(output) is Payload else output


def output_of(wire: Any) -> Any:
    """What ``output_to_wire`` was given."""
    return _make(Payload, wire) if type(wire) is tuple else wire
