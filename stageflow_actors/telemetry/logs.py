"""Logs of this process with run, stage, attempt and trace: switched on by one call."""

from __future__ import annotations

import logging
from typing import IO

from stageflow_actors.telemetry.log_context import EXECUTION_IDS, StageLogFilter
from stageflow_actors.telemetry.log_formats import JSONLogFormatter, TextLogFormatter

__all__ = ("EXECUTION_IDS", "JSONLogFormatter", "StageLogFilter", "configure_logging")

FORMATS = ("json", "text")
LEVELS = "a number, DEBUG, INFO, WARNING, ERROR or CRITICAL"
"""What to say instead of a level that there is not."""


def configure_logging(
    level: int | str = "INFO", format: str = "json", stream: IO[str] | None = None
) -> None:
    """Write the records of all loggers of this process, each with the stage that made it.

    May be called again: the last call counts. Handlers that others have set stay. Processes of
    stages are told by ``STAGEFLOW_LOG_FORMAT`` and ``STAGEFLOW_LOG_LEVEL``.

    Args:
        level: Of the root logger: a number, or a name such as ``"DEBUG"``.
        format: ``"json"``, one line for each record, or ``"text"``.
        stream: Where to; by default ``sys.stderr``.

    Raises:
        ValueError: there is no such level or format.
        TypeError: nothing can be written to ``stream``.
    """
    if stream is not None and not callable(getattr(stream, "write", None)):
        raise TypeError(f"Logs cannot be written to stream={stream!r:.80}: it has no write().")
    formatter: logging.Formatter
    if format == "json":
        formatter = JSONLogFormatter()
    elif format == "text":
        formatter = TextLogFormatter()
    else:
        raise ValueError(f"There is no log format '{format}': say 'json' or 'text'.")
    number = level_of(level)
    handler = _Written(stream)
    handler.setFormatter(formatter)
    handler.addFilter(StageLogFilter())
    root = logging.getLogger()
    for former in [each for each in root.handlers if isinstance(each, _Written)]:
        root.removeHandler(former)
    root.addHandler(handler)
    root.setLevel(number)


def level_of(level: int | str) -> int:
    """A level by its number or name, in capitals or not.

    Raises:
        ValueError: there is none of that name.
    """
    if isinstance(level, int):
        return level
    name = str(level).strip().upper()
    number = int(name) if name.isdecimal() else logging.getLevelNamesMapping().get(name)
    if number is None:
        raise ValueError(f"There is no log level '{level}': say {LEVELS}.")
    return number


class _Written(logging.StreamHandler[IO[str]]):
    """Ours, so that a second call replaces it. A character that the stream lacks is escaped."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        encoding = getattr(self.stream, "encoding", None) or "utf-8"
        return text.encode(encoding, "backslashreplace").decode(encoding)
