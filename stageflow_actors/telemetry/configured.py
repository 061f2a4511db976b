"""``Configured``: the providers that were made for this process, their counts and their end."""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stageflow_actors.telemetry.batches import BatchCounts, Batches

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.trace import TracerProvider

logger = logging.getLogger("stageflow_actors.telemetry")

SHUTDOWN_S = 2.0
"""What is queued at the exit of the process gets so long."""


@dataclass(frozen=True, eq=False)
class Configured:
    """What ``configure_from_environment`` has made: ``None`` for a signal that nobody asked for.

    ``span_batches`` and ``log_batches`` have a queue for each exporter, by its name.
    """

    tracer_provider: TracerProvider | None = None
    meter_provider: MeterProvider | None = None
    logger_provider: LoggerProvider | None = None
    span_batches: Mapping[str, Batches[Any]] = field(default_factory=dict)
    log_batches: Mapping[str, Batches[Any]] = field(default_factory=dict)
    _is_shut: threading.Event = field(default_factory=threading.Event, init=False, repr=False)

    @property
    def is_any(self) -> bool:
        """Whether anything is exported."""
        made = (self.tracer_provider, self.meter_provider, self.logger_provider)
        return any(provider is not None for provider in made)

    @property
    def span_counts(self) -> dict[str, BatchCounts]:
        """What has become of every span, for each exporter: ``{"otlp": BatchCounts(...)}``."""
        return {name: batches.counts for name, batches in self.span_batches.items()}

    @property
    def log_counts(self) -> dict[str, BatchCounts]:
        """What has become of every log record, for each exporter."""
        return {name: batches.counts for name, batches in self.log_batches.items()}

    def shutdown(self, timeout_s: float = SHUTDOWN_S) -> bool:
        """Export what there is, then end the threads. ``False`` if that takes longer.

        Never takes longer than ``timeout_s``, whatever the collector does: what is still queued
        then is dropped, and counted. Afterwards spans and log records are dropped. May be called
        again; at the exit of the process it is, unless it was before.
        """
        deadline = time.monotonic() + timeout_s
        atexit.unregister(self.shutdown)
        queues = [*self.span_batches.values(), *self.log_batches.values()]
        for queue in queues:
            queue.begin_close()  # all use the same time
        are_flushed = self._shut_metrics_down(deadline)
        ended = [queue.close(deadline - time.monotonic()) for queue in queues]
        return are_flushed and all(ended)

    def _shut_metrics_down(self, deadline: float) -> bool:
        if self.meter_provider is None or self._is_shut.is_set():
            return True
        self._is_shut.set()
        try:
            self.meter_provider.shutdown(timeout_millis=(deadline - time.monotonic()) * 1000)
        except Exception:  # the SDK raises where a reader is late, or fails
            logger.debug("The last export of metrics failed.", exc_info=True)
            return False
        return time.monotonic() < deadline
