"""Providers of the SDK with our resource and bounded queues. Imports the SDK."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider

from stageflow_actors.telemetry.batch_processors import LogBatches, NoticedMetrics, SpanBatches
from stageflow_actors.telemetry.batches import Batches, BatchLimits
from stageflow_actors.telemetry.configured import Configured
from stageflow_actors.telemetry.exporters import Exporters, Signal
from stageflow_actors.telemetry.histogram_export import KeepingProvider, exports_as_kept
from stageflow_actors.telemetry.kept_histograms import KeptHistograms

logger = logging.getLogger("stageflow_actors.telemetry")

SERVICE_NAME = "stageflow_actors"

Made = TypeVar("Made")


Asked = Mapping[Signal, tuple[str, ...]]
"""The names of the exporters of each signal, such as ``otlp``."""


def make_providers(asked: Asked, role: str) -> Configured:
    """The providers of what is asked for; they are set as those of nobody yet.

    There is none for a signal of which no exporter could be made; a warning says why.
    """
    resource = _resource(role)
    exporters = Exporters(os.environ)

    def made_of(signal: Signal) -> dict[str, Any]:
        made = ((name, exporters.make(signal, name)) for name in asked.get(signal, ()))
        return {name: exporter for name, exporter in made if exporter is not None}

    tracer_provider, span_batches = _or_none(
        Signal.TRACES, _tracing, made_of(Signal.TRACES), resource
    ) or (None, {})
    logger_provider, log_batches = _or_none(
        Signal.LOGS, _logging, made_of(Signal.LOGS), resource
    ) or (None, {})
    return Configured(
        tracer_provider,
        _or_none(Signal.METRICS, _metering, made_of(Signal.METRICS), resource),
        logger_provider,
        span_batches,
        log_batches,
    )


def _or_none(
    signal: Signal,
    make: Callable[[dict[str, Any], Resource], Made],
    exporters: dict[str, Any],
    resource: Resource,
) -> Made | None:
    """What ``make`` makes of ``exporters``, unless there are none, or a variable is wrong."""
    if not exporters:
        return None
    try:
        return make(exporters, resource)
    except Exception as error:  # the SDK raises for limits and intervals that are no such thing
        logger.warning(
            "Nothing is exported of %s, as their OTEL_* variables are wrong: %s",
            signal.value.lower(),
            error,
        )
        return None


# What is exported at the exit of the process, `Configured` sees to: the SDK would wait for 30 s.


def _tracing(
    exporters: dict[str, Any], resource: Resource
) -> tuple[TracerProvider, dict[str, Batches[Any]]]:
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    limits = _limits("OTEL_BSP", delay_ms=5000)
    processors = {
        name: SpanBatches(exporter, limits, resource) for name, exporter in exporters.items()
    }
    for processor in processors.values():
        provider.add_span_processor(processor)
    return provider, {name: processor.batches for name, processor in processors.items()}


def _logging(
    exporters: dict[str, Any], resource: Resource
) -> tuple[LoggerProvider, dict[str, Batches[Any]]]:
    provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
    limits = _limits("OTEL_BLRP", delay_ms=1000)
    processors = {name: LogBatches(exporter, limits) for name, exporter in exporters.items()}
    for processor in processors.values():
        provider.add_log_record_processor(processor)
    return provider, {name: processor.batches for name, processor in processors.items()}


def _metering(exporters: dict[str, Any], resource: Resource) -> MeterProvider:
    are_kept = all(exports_as_kept(each, os.environ) for each in exporters.values())
    kept = KeptHistograms() if are_kept else None
    readers = [
        exporter
        if isinstance(exporter, MetricReader)
        else PeriodicExportingMetricReader(NoticedMetrics(exporter, kept))
        for exporter in exporters.values()
    ]
    if kept is not None:
        return KeepingProvider(readers, resource, kept)
    return MeterProvider(readers, resource, shutdown_on_exit=False)


def _resource(role: str) -> Resource:
    """What the environment says of the service, and what this process is."""
    known = {"service.name": SERVICE_NAME, "service.instance.id": str(uuid.uuid4())}
    told = OTELResourceDetector().detect().attributes
    process: dict[str, str | int] = {"process.pid": os.getpid(), "stageflow.process.role": role}
    return _HashedOnce(Resource.create({**known, **told, **process}))


class _HashedOnce(Resource):
    """Encoders look up that of each span, for which the SDK's writes itself down as JSON."""

    def __init__(self, resource: Resource) -> None:
        super().__init__(resource.attributes, resource.schema_url)
        self._hash = super().__hash__()

    def __hash__(self) -> int:
        return self._hash


def _limits(prefix: str, delay_ms: int) -> BatchLimits:
    """``<prefix>_MAX_QUEUE_SIZE`` and the like; the defaults are those of the specification."""
    max_queue_size = _positive(f"{prefix}_MAX_QUEUE_SIZE", 2048)
    max_batch_size = _positive(f"{prefix}_MAX_EXPORT_BATCH_SIZE", 512)
    return BatchLimits(
        max_queue_size=max_queue_size,
        max_batch_size=min(max_batch_size, max_queue_size),
        delay_s=_positive(f"{prefix}_SCHEDULE_DELAY", delay_ms) / 1000,
    )


def _positive(variable: str, default: int) -> int:
    text = os.environ.get(variable, "").strip()
    if not text:
        return default
    if text.isdecimal() and int(text) > 0:
        return int(text)
    logger.warning("%s=%s is no positive number; it is %s.", variable, text, default)
    return default
