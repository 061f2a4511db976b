"""Messages of a handle and its supervisor as they travel: as plain tuples, like those in ``wire``.

The processes of stages need none of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

from stageflow_actors.actors.codec import Payload
from stageflow_actors.actors.messages import RunReport, RunRequest, StageEnd
from stageflow_actors.actors.outlets import Piece
from stageflow_actors.actors.wire import (
    Wire,
    output_of,
    output_to_wire,
    receipt_of,
    receipt_to_wire,
)
from stageflow_actors.model.events import Event, EventOrigin
from stageflow_actors.model.results import RunStatus

_make: Any = tuple.__new__
_STATUS = MappingProxyType({status.value: status for status in RunStatus})


def request_to_wire(request: RunRequest) -> Wire:
    """For a supervisor."""
    run, view, *more = request
    return run, tuple(view), *more


def request_of(wire: Wire) -> RunRequest:
    """What ``request_to_wire`` was given."""
    run, view, *more = wire
    return RunRequest(run, Payload(*view), *more)


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
        (end[0], end[1], receipt_to_wire(end[2]), end[3], end[4], output_to_wire(end[5]), end[6])
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


def _end_of(wire: Wire) -> StageEnd:
    stage, attempt, receipt, timed_out, gave_up, fell_back, poisoned = wire
    return StageEnd(
        stage, attempt, receipt_of(receipt), timed_out, gave_up, output_of(fell_back), poisoned
    )


def _event_of(wire: Wire) -> Event:
    origin = wire[6]
    fields = wire if origin is None else (*wire[:6], EventOrigin(*origin))
    event: Event = _make(Event, fields)
    return event
