"""The JSON documents that ``--json`` prints, of anything that a stage may return."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, time
from enum import Enum
from typing import Any
from uuid import UUID

from stageflow_actors.model.output import StageOutput
from stageflow_actors.model.results import RunResult, StageFailure

_MAX_DEPTH = 200


def to_json(document: Mapping[str, Any]) -> str:
    """``document`` as indented JSON; what JSON does not have stands there as its ``repr``."""
    return json.dumps(_plain(document, _MAX_DEPTH), indent=2, ensure_ascii=True) + "\n"


def run_document(result: RunResult, runtime: str) -> dict[str, Any]:
    """Everything about one ended run."""
    return {
        "pipeline": result.pipeline,
        "pipeline_run_id": str(result.pipeline_run_id),
        "runtime": runtime,
        "status": result.status.value,
        "stage": result.stage,
        "reason": result.reason,
        "started_at": result.started_at,
        "ended_at": result.ended_at,
        "duration_ms": result.duration_ms,
        "outputs": {name: _output(output) for name, output in result.outputs.items()},
        "failures": {name: _failure(failure) for name, failure in result.failures.items()},
        "skipped": result.skipped,
        "cancelled": {
            name: {"reason": stopped.reason, "started": stopped.started}
            for name, stopped in result.cancelled.items()
        },
        "timings": {
            name: {**asdict(timing), "duration_ms": timing.duration_ms}
            for name, timing in result.timings.items()
        },
        "tolerated": result.tolerated,
        "abandoned": result.abandoned,
        "attempts": result.attempts,
        "events_dropped": result.events_dropped,
        "cleanup_failures": [failure._asdict() for failure in result.cleanup_failures],
    }


def _output(output: StageOutput) -> dict[str, Any]:
    return {
        "status": output.status.value,
        "data": output.data,
        "error": output.error,
        "duration_ms": output.duration_ms,
        "version": output.version,
        "routing": None if output.routing is None else asdict(output.routing),
        "artifacts": [asdict(artifact) for artifact in output.artifacts],
    }


def _failure(failure: StageFailure) -> dict[str, Any]:
    return {
        "code": failure.code,
        "error_type": failure.error_type,
        "message": failure.message,
        "hint": getattr(failure.original, "hint", ""),
        "traceback": failure.traceback,
        "attempt": failure.attempt,
    }


def _plain(value: Any, depth_left: int) -> Any:
    """``value`` from what JSON has."""
    if isinstance(value, Enum):
        return _plain(value.value, depth_left)
    if value is None or isinstance(value, bool | str):
        return str.__str__(value) if isinstance(value, str) else value
    if isinstance(value, int | float):
        return value if isinstance(value, int) or math.isfinite(value) else repr(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if depth_left and isinstance(value, Mapping):
        return {_key(key): _plain(item, depth_left - 1) for key, item in value.items()}
    if depth_left and isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, depth_left - 1) for item in value]
    return _repr(value)


def _key(key: Any) -> str:
    return key if type(key) is str else _repr(key)


def _repr(value: Any) -> str:
    try:
        return repr(value)
    except Exception as error:
        return f"<{type(value).__name__} whose repr raised {type(error).__name__}>"
