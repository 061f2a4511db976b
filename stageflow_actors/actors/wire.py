"""Messages as they travel: as plain tuples.

These pickle and unpickle several times faster than the classes that stand for them here and there.

A ``Payload`` travels as a tuple, too: where an output is expected, nothing else is one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from stageflow_actors.actors.codec import FarOutput, Payload
from stageflow_actors.actors.failures import failure_to_wire
from stageflow_actors.actors.messages import (
    Assignment,
    Envelope,
    Execution,
    Receipt,
    RunReport,
    RunRequest,
    StageEnd,
)
from stageflow_actors.actors.outlets import Piece
from stageflow_actors.actors.sealing import SealedOutput, output_to_payload
from stageflow_actors.model.events import Event, EventOrigin
from stageflow_actors.model.results import RunStatus

Wire = tuple[Any, ...]
_make: Any = tuple.__new__
"""A named tuple of so many values, without counting them: they were one before."""
_STATUS = MappingProxyType({status.value: status for status in RunStatus})


def request_to_wire(request: RunRequest) -> Wire:
    """For a supervisor."""
    run, view, *more = request
    return run, tuple(view), *more


def request_of(wire: Wire) -> RunRequest:
    """What ``request_to_wire`` was given."""
    run, view, *more = wire
    return RunRequest(run, Payload(*view), *more)


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
    opened = {name: _output_of(output) for name, output in inputs.items()}
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
    return (*receipt[:3], _output_to_wire(receipt.output), *receipt[4:])


def receipt_of(wire: Wire) -> Receipt:
    """What ``receipt_to_wire`` was given."""
    receipt: Receipt = _make(Receipt, (*wire[:3], _output_of(wire[3]), *wire[4:]))
    return receipt


def events_to_wire(events: tuple[Event, ...]) -> Wire:
    """For the handle."""
    return tuple([tuple(event) for event in events])


def events_of(wire: Wire) -> tuple[Event, ...]:
    """What ``events_to_wire`` was given."""
    return tuple([_event_of(each) for each in wire])


def pieces_to_wire(pieces: Sequence[Piece]) -> Wire:
    """For the handle."""
    return tuple([(*piece[:4], tuple(piece.data), piece.at) for piece in pieces])


def pieces_of(wire: Wire) -> list[Piece]:
    """What ``pieces_to_wire`` was given."""
    return [
        Piece(seq, stage, attempt, audience, Payload(*data), at)
        for seq, stage, attempt, audience, data, at in wire
    ]


def report_to_wire(report: RunReport) -> Wire:
    """For the handle."""
    ends = [
        (end[0], end[1], receipt_to_wire(end[2]), end[3], end[4], _output_to_wire(end[5]), end[6])
        for end in report.ends
    ]
    return (
        report.status.value,
        report.stage,
        report.reason,
        ends,
        report.never_started,
        events_to_wire(report.events),
        *report[6:],
    )


def report_of(wire: Wire) -> RunReport:
    """What ``report_to_wire`` was given."""
    status, stage, reason, ends, never_started, events, *more = wire
    return RunReport(
        _STATUS[status],
        stage,
        reason,
        tuple([_end_of(end) for end in ends]),
        never_started,
        events_of(events),
        *more,
    )


def size_of(receipt: Receipt) -> int:
    """About how many bytes it has on its way."""
    output = receipt.output
    return _RECEIPT_SIZE + (output.size if type(output) is Payload else 0)


_RECEIPT_SIZE = 100


def _end_of(wire: Wire) -> StageEnd:
    stage, attempt, receipt, timed_out, gave_up, fell_back, poisoned = wire
    return StageEnd(
        stage, attempt, receipt_of(receipt), timed_out, gave_up, _output_of(fell_back), poisoned
    )


def _event_of(wire: Wire) -> Event:
    origin = wire[6]
    fields = wire if origin is None else (*wire[:6], EventOrigin(*origin))
    event: Event = _make(Event, fields)
    return event


def _output_to_wire(output: SealedOutput | None) -> Any:
    return tuple(output) if type(output) is Payload else output


def _output_of(wire: Any) -> Any:
    return _make(Payload, wire) if type(wire) is tuple else wire
