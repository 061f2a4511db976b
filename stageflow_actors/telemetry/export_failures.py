"""``ExportFailures``: what an exporter says of an outage becomes one warning."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

logger = logging.getLogger("stageflow_actors.telemetry")

T = TypeVar("T")

_AND_THEN = (
    "What is lost is counted, and this is said once, until an export succeeds again. "
    "Is the collector running, and do the OTEL_EXPORTER_* variables name it?"
)


class ExportFailures(logging.Filter):
    """Calls an exporter, and warns once per outage instead of once per batch.

    Exporters log each failure, and each further try. While one is called through ``judge``, what it
    logs from that thread is held back, and the first of it is the reason in the one warning. The
    first success after it makes the next failure a new outage.

    Args:
        what: What is exported, in the plural, as it stands in the warning: ``spans``.
        exporter: Whose loggers are filtered, until ``close``: those of the modules of its class and
            of what that derives from.
    """

    def __init__(self, what: str, exporter: object) -> None:
        super().__init__()
        self.what = what
        self._exporter_name = type(exporter).__name__
        self._judging: int | None = None
        self._reason = ""
        self._is_out = self._has_been_full = False
        # Re-entrant, as garbage collection may end a span, which may find its queue full.
        self._lock = threading.RLock()
        names = {kind.__module__ for kind in type(exporter).__mro__} - {"builtins", "abc", "typing"}
        self._loggers = [logging.getLogger(name) for name in sorted(names)]
        for each in self._loggers:
            # Before a filter of its own, which may hold back what would be the reason here.
            each.filters.insert(0, self)

    def filter(self, record: logging.LogRecord) -> bool:
        if threading.get_ident() != self._judging:
            return True  # of another exporter of the same class, or of something else
        self._reason = self._reason or record.getMessage()  # later ones only say that it gave up
        return False

    def judge(self, export: Callable[[T], bool], batch: T) -> bool:
        """Call ``export(batch)``; whether it says that the batch arrived. Raises nothing."""
        self._judging, self._reason = threading.get_ident(), ""
        is_exported = False
        try:
            is_exported = export(batch)
        except Exception as error:  # whatever an exporter raises is a batch that did not arrive
            self._reason = repr(error)
        finally:
            self._judging = None
        if not is_exported:
            self._warn_of_failure()
        elif self._is_out:
            with self._lock:
                self._is_out = False
        return is_exported

    def note_full_queue(self) -> None:
        """Something was dropped: of use where exports are slow, or hang, but do not fail."""
        if self._has_been_full:
            return
        with self._lock:
            is_first, self._has_been_full = not self._has_been_full, True
        if is_first:
            self._warn_of_outage("come faster than they are exported")

    def note_end(self, left: int = 0) -> bool:
        """There is no more time, for what is under way and ``left``. Whether nothing is under way.

        A process that ends now would not hear of it in any other way.
        """
        is_idle = self._judging is None
        if self._reason and not is_idle:
            self._warn_of_failure()
        elif left or not is_idle:
            self._warn_of_outage("could not all be exported before the end")
        return is_idle

    def close(self) -> None:
        """Let everything the exporter logs through again."""
        for each in self._loggers:
            each.removeFilter(self)

    def _warn_of_failure(self) -> None:
        self._warn_of_outage(f"cannot be exported: {self._reason or 'no reason is given'}")

    def _warn_of_outage(self, complaint: str) -> None:
        with self._lock:
            is_new, self._is_out = not self._is_out, True
        if is_new:
            logger.warning(
                "%s %s (%s). %s",
                self.what.capitalize(),
                complaint,
                self._exporter_name,
                _AND_THEN,
            )
