"""The records of the library's own loggers, without secrets; in every process that imports them."""

from __future__ import annotations

import logging
import os
import traceback
from typing import TYPE_CHECKING

from stageflow_actors.errors import describe_exception

if TYPE_CHECKING:
    from stageflow_actors.model.redaction.redactor import Redactor

LOGGERS = (
    "stageflow_actors",
    "stageflow_actors.events",
    "stageflow_actors.providers",
    "stageflow_actors.security",
    "stageflow_actors.serving",
    "stageflow_actors.stages",
    "stageflow_actors.telemetry",
)
"""All of them: what filters a logger does not see the records of those below it."""


def guard_logs() -> None:
    """Have every warning, and every record with a traceback, redacted before a handler sees it."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(redact_record)  # once, however often it is called


def redact_record(record: logging.LogRecord) -> bool:
    """Mask in ``record`` what the environment or its form says is secret; it is always logged.

    A traceback with a secret in it stays as text alone: the exception itself would tell.
    """
    if record.levelno < logging.WARNING and not record.exc_info:
        return True
    try:
        _redact(record)
    except Exception:  # what cannot be formatted is for the handlers to complain of
        record.exc_info = None
    return True


def log_raised(
    logger: logging.Logger, redactor: Redactor, error: BaseException, message: str, *args: object
) -> None:
    """Log, as an error, ``message`` with what was raised; as text where that has to be redacted."""
    told = traceback_text(error)
    clean = redactor.text(told)
    if clean is told:
        logger.error(message, *args, exc_info=error, stacklevel=2)
    else:
        logger.error("%s\n%s", message % args, clean.rstrip(), stacklevel=2)


def traceback_text(error: BaseException) -> str:
    """The traceback of ``error``; never raises, even where its own ``__str__`` does."""
    try:
        return "".join(traceback.format_exception(error))
    except Exception:
        return f"{type(error).__name__}: {describe_exception(error)}"


def _redact(record: logging.LogRecord) -> None:
    from stageflow_actors.model.redaction.sources import redactor_of_process

    redactor = redactor_of_process(os.environ)
    message = record.getMessage()
    clean = redactor.text(message)
    if clean is not message:
        record.msg, record.args = clean, ()
    if not record.exc_info:
        return
    error = record.exc_info[1]
    if error is not None:
        told = traceback_text(error)
        clean = redactor.text(told)
        if clean is not told:
            record.exc_info, record.exc_text = None, clean.rstrip()
