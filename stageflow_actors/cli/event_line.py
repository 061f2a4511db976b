"""An event as one line for people."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from stageflow_actors.adapters.event_json import data_to_json, text_to_json
from stageflow_actors.cli.event_records import EventRecord
from stageflow_actors.drawing.labels import short, shown
from stageflow_actors.model.events import RUN_LABELS

_LABELS = RUN_LABELS | {
    *("seq", "timestamp", "stage", "dependencies", "after", "began_at", "ended_at")
}
"""What every event says, or what its time and type say already."""
_MOST_CELLS = 60
_ID_CHARACTERS = 12


def event_line(record: EventRecord) -> str:
    """Time in UTC, the end of the run's id, type, and what the event itself says."""
    data = record.data
    run_id = str(data.get("pipeline_run_id") or "-")[-_ID_CHARACTERS:]
    told = " ".join(_told(record.type, data))
    line = f"{_moment(data.get('timestamp'))}  {shown(run_id):{_ID_CHARACTERS}}  "
    return f"{line}{short(record.type, _MOST_CELLS)}  {told}".rstrip()


def json_line(record: EventRecord) -> str:
    """The event as it was recorded, as one JSON object in ASCII."""
    return f'{{"type":{text_to_json(record.type)},"data":{data_to_json(record.data)}}}'


def _told(record_type: str, data: dict[str, Any]) -> Iterator[str]:
    is_first = data.get("attempt") == 1
    for key, value in data.items():
        if key == "stage" and f".{value}." not in record_type:
            yield f"stage={_value(value)}"
        if key not in _LABELS and value is not None and not (key == "attempt" and is_first):
            yield f"{short(key)}={_value(value)}"


def _value(value: object) -> str:
    """Plain where that can be read, else as JSON."""
    is_plain = isinstance(value, str) and value and not set(value) & set(" =\"'")
    text = str(value) if is_plain else json.dumps(value, ensure_ascii=False, default=repr)
    return short(text, _MOST_CELLS)


def _moment(timestamp: object) -> str:
    try:
        at = datetime.fromisoformat(str(timestamp)).astimezone(UTC)
    except (ValueError, OverflowError):
        return f"{'-':23}"
    return at.strftime("%Y-%m-%d %H:%M:%S.") + f"{at.microsecond // 1000:03}"
