"""What clients see of runs and their events. What may speak of the inside is left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stageflow_actors.model.events import Event
from stageflow_actors.model.identity import rfc3339
from stageflow_actors.model.output import StageOutput
from stageflow_actors.model.results import RunResult, RunStatus, StageFailure
from stageflow_actors.serving.plain import plain

_OF_EXCEPTIONS = frozenset({"error", "error_type", "error_message", "traceback"})
"""Keys of events that have texts and types of exceptions."""
_HIDDEN = "The stage failed."


def result_document(result: RunResult, *, reveal: bool) -> dict[str, Any]:
    """Everything about an ended run, from what JSON has.

    With ``reveal`` there are the messages and types of exceptions, too.
    """
    is_cancelled = result.status is RunStatus.CANCELLED
    return {
        "stage": result.stage,
        "reason": plain(result.reason) if reveal or is_cancelled else None,
        "outputs": {
            name: _output(each, result.failures.get(name), reveal=reveal)
            for name, each in result.outputs.items()
        },
        "failures": {name: _failure(each, reveal) for name, each in result.failures.items()},
        "skipped": plain(result.skipped),
        "cancelled": {
            name: {"reason": plain(each.reason), "started": each.started}
            for name, each in result.cancelled.items()
        },
        "timings": {
            name: {
                "started_at": rfc3339(each.started_at),
                "ended_at": rfc3339(each.ended_at),
                "duration_ms": each.duration_ms,
            }
            for name, each in result.timings.items()
        },
        "artifacts": {
            name: [
                {"type": each.type, "payload": plain(each.payload), "at": plain(each.timestamp)}
                for each in artifacts
            ]
            for name, artifacts in result.artifacts.items()
        },
        "tolerated": list(result.tolerated),
        "abandoned": list(result.abandoned),
        "attempts": dict(result.attempts),
        "events_dropped": result.events_dropped,
    }


def event_document(event: Event, *, reveal: bool) -> dict[str, Any]:
    """One event, from what JSON has."""
    data: Mapping[str, Any] = event.data
    if not reveal:
        hidden = _OF_EXCEPTIONS | ({"reason"} if event.type == "pipeline.failed" else frozenset())
        data = {key: value for key, value in data.items() if key not in hidden}
    return {
        "type": event.type,
        "seq": event.seq,
        "at": rfc3339(event.at),
        "stage": event.stage,
        "attempt": event.attempt,
        "data": plain(data),
    }


def _output(output: StageOutput, failure: StageFailure | None, *, reveal: bool) -> dict[str, Any]:
    """With what a failure says of the error: what the output says may quote secrets."""
    document: dict[str, Any] = {
        "status": output.status.value,
        "data": plain(output.data),
        "duration_ms": output.duration_ms,
        "version": output.version,
        "route": None if output.routing is None else plain(output.routing),
    }
    if reveal:
        if failure is None or output.error is None:
            document["error"] = plain(output.error)
        else:
            document["error"] = plain(failure.message)
    return document


def _failure(failure: StageFailure, reveal: bool) -> dict[str, Any]:
    document: dict[str, Any] = {
        "code": failure.code,
        "attempt": failure.attempt,
        "message": plain(failure.message) if reveal else _HIDDEN,
    }
    if reveal:
        document["error_type"] = failure.error_type
    return document
