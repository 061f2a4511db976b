"""Events as they were recorded, one by one; what is none is told apart."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from math import isfinite
from types import MappingProxyType
from typing import Any, NamedTuple

_LARGEST = 2**53


class EventRecord(NamedTuple):
    """An event as a sink has had it."""

    type: str
    data: dict[str, Any]


def record_of_line(line: str | bytes) -> EventRecord | None:
    """The event of a line ``{"type": ..., "data": {...}}``; ``None``: there is none in it."""
    try:
        found = json.loads(line if isinstance(line, str) else line.decode())
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    return _checked(found.get("type"), found.get("data"))


def record_of_row(type_: object, data: str | bytes) -> EventRecord | None:
    """The event of a row of a database."""
    try:
        return _checked(type_, json.loads(data))
    except (TypeError, ValueError, RecursionError):
        return None


def _checked(type_: object, data: object) -> EventRecord | None:
    """What tells of a run has to say when, and what is read of it has to have its form."""
    if not isinstance(type_, str) or not isinstance(data, dict):
        return None
    run_id = data.get("pipeline_run_id")
    if run_id is None:
        return EventRecord(type_, data)
    if not isinstance(run_id, str) or not _is_moment(data.get("timestamp")):
        return None
    for name, is_sound in _FORMS.items():
        value = data.get(name)
        if value is not None and not is_sound(value):
            return None
    return EventRecord(type_, data)


def _is_moment(value: object) -> bool:
    try:
        return isinstance(value, str) and isfinite(datetime.fromisoformat(value).timestamp())
    except (ValueError, OverflowError, OSError):
        return False


def _is_number(value: object) -> bool:
    if not isinstance(value, int | float) or abs(value) > _LARGEST:
        return False
    return isfinite(value)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and 0 <= value <= _LARGEST


def _is_list_of_text(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


_FORMS: Mapping[str, Callable[[object], bool]] = MappingProxyType(
    {
        **dict.fromkeys(("stage", "topology"), _is_text),
        **dict.fromkeys(("seq", "attempt"), _is_count),
        **dict.fromkeys(("began_at", "ended_at", "latency_ms"), _is_number),
        **dict.fromkeys(("dependencies", "after"), _is_list_of_text),
        "attributes": _is_object,
    }
)
"""What is read of an event of a run, where it is there."""
