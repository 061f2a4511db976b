"""How a log record is written: as one line of JSON for machines, or as text for people."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

from stageflow_actors.model.identity import rfc3339
from stageflow_actors.telemetry.log_context import ENRICHED, EXECUTION_IDS, enrich
from stageflow_actors.telemetry.log_values import plain_value, text_of

_encode = json.JSONEncoder(allow_nan=False, check_circular=False, separators=(",", ":")).encode
_OWN = frozenset(vars(logging.LogRecord("", 0, "", 0, "", (), None))) | {
    "message",
    "asctime",
    "taskName",
    ENRICHED,
    "_ray_timestamp_ns",  # which Ray adds to every record
}
"""What a record has by itself; anything else was given as ``extra``."""
_FIELDS = frozenset(
    {
        *("timestamp", "level", "logger", "message", *EXECUTION_IDS),
        *("process", "thread", "exception", "stack"),
    }
)
"""Names that mean something in a line, whether it has such a field or not."""
_CONTROLS = "[\x00-\x1f\x7f-\x9f\u2028\u2029]"
_CONTROLS_BUT_LINES = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]"


class JSONLogFormatter(logging.Formatter):
    """One line for each record: a JSON object in ASCII that every reader takes.

    ``timestamp`` (UTC, ISO 8601), ``level``, ``logger``, ``message``; where a stage was executing,
    ``pipeline``, ``pipeline_run_id``, ``stage``, ``attempt``, ``trace_id``, ``span_id``; then
    ``process``, ``thread``, what was given as ``extra``, and ``exception`` and ``stack`` as text.
    An ``extra`` that has the name of one of these comes as ``extra.<name>``. What JSON does not
    have becomes text; texts longer than 32768 characters are cut.
    """

    def format(self, record: logging.LogRecord) -> str:
        enrich(record)
        given = record.__dict__
        fields: dict[str, Any] = {
            "timestamp": rfc3339(record.created),
            "level": record.levelname,
            "logger": text_of(record.name),
            "message": message_of(record),
        }
        for name in EXECUTION_IDS:
            if given[name] is not None:
                fields[name] = plain_value(given[name])
        fields["process"], fields["thread"] = record.process, text_of(record.threadName)
        exception, stack = exception_of(record), record.stack_info
        if exception is not None:
            fields["exception"] = exception
        if stack:
            fields["stack"] = text_of(stack)
        for name, value in extras_of(record).items():
            fields[f"extra.{name}" if name in _FIELDS else name] = plain_value(value)
        return _encode(fields)


class TextLogFormatter(logging.Formatter):
    """One line for each record, and further ones for an exception.

    Control characters in it are written as ``\\n`` or ``\\x1b``: no message makes up a record.
    """

    def format(self, record: logging.LogRecord) -> str:
        enrich(record)
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        known = ((name, record.__dict__[name]) for name in EXECUTION_IDS)
        ids = " ".join(f"{name}={_on_one_line(text_of(each))}" for name, each in known if each)
        name = _on_one_line(text_of(record.name))
        line = f"{at} {record.levelname} {name}: {_on_one_line(message_of(record))}"
        parts = [f"{line} [{ids}]" if ids else line]
        exception, stack = exception_of(record), record.stack_info
        if exception is not None:
            parts.append(re.sub(_CONTROLS_BUT_LINES, _escaped, exception))
        if stack:
            parts.append(re.sub(_CONTROLS_BUT_LINES, _escaped, text_of(stack)))
        return "\n".join(parts)


def extras_of(record: logging.LogRecord) -> dict[str, Any]:
    """What a record was given besides, but for what says where it was made."""
    given = record.__dict__.items()
    return {
        text_of(name): value
        for name, value in given
        if name not in _OWN and name not in EXECUTION_IDS
    }


def message_of(record: logging.LogRecord) -> str:
    """What it says, also where its arguments do not fit its text."""
    try:
        return text_of(record.getMessage())
    except Exception:
        return f"{text_of(record.msg)} (with arguments that do not fit)"


def exception_of(record: logging.LogRecord) -> str | None:
    """The exception of a record with its traceback, if it has one."""
    if record.exc_info and record.exc_info[1] is not None:
        try:
            return text_of(logging.Formatter().formatException(record.exc_info))
        except Exception:
            return f"{type(record.exc_info[1]).__qualname__}, which cannot be shown"
    return text_of(record.exc_text) if record.exc_text else None


def _on_one_line(text: str) -> str:
    return re.sub(_CONTROLS, _escaped, text)


def _escaped(found: re.Match[str]) -> str:
    return repr(found.group())[1:-1]
