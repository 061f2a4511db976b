"""``AnalyticsEvent``: one event as exporters get it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID, uuid4

from stageflow_actors.adapters.event_json import data_to_json


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class AnalyticsEvent:
    """What happened, when, and where; ``duration_ms`` is in milliseconds.

    ``event_id`` is the event's own in every attempt to export it: so a receiver can tell an event
    that comes again.
    """

    event_type: str
    timestamp: datetime = field(default_factory=_now)
    data: Mapping[str, Any] = field(default_factory=dict)
    pipeline_run_id: UUID | None = None
    stage_name: str | None = None
    duration_ms: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    event_id: UUID = field(default_factory=uuid4)

    @classmethod
    def of_runtime(cls, type_: str, data: Mapping[str, Any] | None) -> Self:
        """An event as sinks get it; fields of an unexpected form stay in the data alone."""
        data = data or {}
        return cls(
            type_,
            _time(data.get("timestamp")) or _now(),
            data,
            _uuid(data.get("pipeline_run_id")),
            _text(data.get("stage")),
            _number(data.get("duration_ms")),
        )

    def to_dict(self) -> dict[str, Any]:
        """The event by name; fields that are not set are left out, ``data`` is as it was given."""
        plain: dict[str, Any] = {
            "event_id": str(self.event_id),
            "event_type": self.event_type,
            "timestamp": self.timestamp.isoformat(),
            "data": self.data,
        }
        if self.pipeline_run_id is not None:
            plain["pipeline_run_id"] = str(self.pipeline_run_id)
        if self.stage_name is not None:
            plain["stage_name"] = self.stage_name
        if self.duration_ms is not None:
            plain["duration_ms"] = self.duration_ms
        if self.metadata:
            plain["metadata"] = self.metadata
        return plain

    def to_json(self) -> str:
        """One line of strict JSON in ASCII, without its newline, whatever is in the data."""
        return data_to_json(self.to_dict())

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """The event that ``to_dict`` or JSON says; ``event_id`` is new where there is none."""
        return cls(
            plain["event_type"],
            _time(plain.get("timestamp")) or _now(),
            plain.get("data") or {},
            _uuid(plain.get("pipeline_run_id")),
            _text(plain.get("stage_name")),
            _number(plain.get("duration_ms")),
            plain.get("metadata") or {},
            _uuid(plain.get("event_id")) or uuid4(),
        )

    @classmethod
    def from_json(cls, line: str) -> Self:
        """The event that ``to_json`` wrote: its data is what JSON has."""
        return cls.from_dict(json.loads(line))


def _time(value: object) -> datetime | None:
    if isinstance(value, datetime):
        return value
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _uuid(value: object) -> UUID | None:
    if isinstance(value, UUID):
        return value
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: object) -> float | None:
    """A number that JSON has, or nothing."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return value if math.isfinite(value) else None
    except OverflowError:  # an integer that no float is as large as
        return None
