"""Log records for OpenTelemetry, where the process has set a logger provider."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from opentelemetry import context, trace
from opentelemetry._logs import LogRecord, SeverityNumber

from stageflow_actors.telemetry.attributes import attributes_of
from stageflow_actors.telemetry.log_context import StageLogFilter, current_trace
from stageflow_actors.telemetry.log_formats import exception_of, extras_of, message_of
from stageflow_actors.telemetry.remote import as_context

if TYPE_CHECKING:
    from opentelemetry._logs import LoggerProvider
    from opentelemetry.context import Context

_NS = 1_000_000_000
_OF_EXPORTING = ("opentelemetry", "stageflow_actors.telemetry")
_EXPORTING_THREADS = ("OtelBatch", "stageflow-export")


def export_log_records(provider: LoggerProvider) -> OtelLogHandler:
    """Send the records of all loggers of this process to ``provider``, from now on.

    How much is sent is up to the levels of the loggers. A second call replaces the first.
    """
    handler = OtelLogHandler(provider)
    root = logging.getLogger()
    for former in [each for each in root.handlers if isinstance(each, OtelLogHandler)]:
        root.removeHandler(former)
    root.addHandler(handler)
    return handler


class OtelLogHandler(logging.Handler):
    """Hands records on, each in the span that it was made in.

    What exporting itself has to say is left out: it would be exported, and so on.
    """

    def __init__(self, provider: LoggerProvider) -> None:
        super().__init__()
        self._provider = provider
        self.addFilter(StageLogFilter())

    def emit(self, record: logging.LogRecord) -> None:
        self._stand_in(record)
        if record.name.startswith(_OF_EXPORTING) or _is_exporting():
            return
        try:
            self._provider.get_logger(record.name).emit(_told(record))
        except Exception:
            self.handleError(record)

    def _stand_in(self, record: logging.LogRecord) -> None:
        """Where there is no other handler, warnings go where they would go without this one."""
        last = logging.lastResort
        is_alone = logging.getLogger().handlers == [self]
        if is_alone and last is not None and record.levelno >= last.level:
            last.handle(record)


def _told(record: logging.LogRecord) -> LogRecord:
    given = record.__dict__
    ids = {
        "stageflow.pipeline.name": given["pipeline"],
        "stageflow.run.id": given["pipeline_run_id"],
        "stageflow.stage.name": given["stage"],
        "stageflow.attempt.number": given["attempt"],
    }
    raised = record.exc_info[1] if record.exc_info else None
    return LogRecord(
        timestamp=int(record.created * _NS),
        context=_where(),
        severity_text=record.levelname,
        severity_number=_severity(record.levelno),
        body=message_of(record),
        attributes=attributes_of(
            {
                **extras_of(record),
                **ids,
                "code.file.path": record.pathname,
                "code.function.name": record.funcName,
                "code.line.number": record.lineno,
                "exception.type": None if raised is None else type(raised).__qualname__,
                "exception.stacktrace": exception_of(record),
            }
        ),
    )


def _where() -> Context:
    """The span that is current; where none is, that of the attempt."""
    if trace.get_current_span().get_span_context().is_valid:
        return context.get_current()
    known = current_trace()
    return context.get_current() if known is None else as_context(known)


def _is_exporting() -> bool:
    return threading.current_thread().name.startswith(_EXPORTING_THREADS)


def _severity(level: int) -> SeverityNumber:
    """Ten levels of ours are four of theirs."""
    steps = (
        (logging.CRITICAL, SeverityNumber.FATAL),
        (logging.ERROR, SeverityNumber.ERROR),
        (logging.WARNING, SeverityNumber.WARN),
        (logging.INFO, SeverityNumber.INFO),
        (logging.DEBUG, SeverityNumber.DEBUG),
    )
    return next((number for least, number in steps if level >= least), SeverityNumber.TRACE)
