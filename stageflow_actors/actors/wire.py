"""Messages as they travel: as plain tuples.

These pickle and unpickle several times faster than the classes that stand for them here and there.

A ``Payload`` travels as a tuple, too: where an output is expected, nothing else is one.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from stageflow_actors.actors.codec import Payload
from stageflow_actors.actors.failures import failure_to_wire
from stageflow_actors.actors.messages import (
    Assignment,
    Envelope,
    Receipt,
    RunReport,
    RunRequest,
    StageEnd,
)
from stageflow_actors.actors.sealing import SealedOutput, output_to_payload
from stageflow_actors.model.events import Event, EventOrigin
from stageflow_actors.model.results import RunStatus

Wire = tuple[Any, ...]
_STATUS = MappingProxyType({status.value: status for status in RunStatus})


def request_to_wire(request: RunRequest) -> Wire:
    """For a supervisor."""
    run, view, *more = request
    return run, tuple(view), *more


def request_of(wire: Wire) -> RunRequest:
    """What ``request_to_wire`` was given."""
    run, view, *more = wire
    return RunRequest(run, Payload(*view), *more)


def envelope_to_wire(envelope: Envelope) -> Wire:
    """For a stage's process."""
    run, stage, view, started_ms, work = envelope
    inputs = {name: _output_to_wire(output) for name, output in work.inputs.items()}
    return run, stage, tuple(view), started_ms, work.attempt, inputs, tuple(work[2:])


def envelope_of(wire: Wire) -> Envelope:
    """What ``envelope_to_wire`` was given."""
    run, stage, view, started_ms, attempt, inputs, more = wire
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
    return Receipt._make((*wire[:3], _output_of(wire[3]), *wire[4:]))


def events_to_wire(events: tuple[Event, ...]) -> Wire:
    """For the handle."""
    return tuple([tuple(event) for event in events])


def events_of(wire: Wire) -> tuple[Event, ...]:
    """What ``events_to_wire`` was given."""
    return tuple([_event_of(each) for each in wire])


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
    return Event._make(wire if origin is None else (*wire[:6], EventOrigin(*origin)))


def _output_to_wire(output: SealedOutput | None) -> Any:
    return tuple(output) if type(output) is Payload else output


def _output_of(wire: Any) -> Any:
    return Payload(*wire) if type(wire) is tuple else wire
