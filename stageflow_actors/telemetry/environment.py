"""The SDK's providers for this process, made as the standard ``OTEL_*`` variables ask for."""

from __future__ import annotations

import atexit
import os
from typing import ClassVar

from stageflow_actors.telemetry.configured import Configured
from stageflow_actors.telemetry.exporters import Signal, exporters_asked_for


def configure_from_environment(role: str) -> Configured:
    """Make the providers that the environment asks for, and set them as those of this process.

    Reads ``OTEL_TRACES_EXPORTER``, ``OTEL_METRICS_EXPORTER`` and ``OTEL_LOGS_EXPORTER`` (lists of
    ``otlp``, ``console``, ``none``, or what a distribution registers, such as ``prometheus``),
    ``OTEL_EXPORTER_OTLP_*``, ``OTEL_BSP_*``, ``OTEL_BLRP_*``, ``OTEL_SDK_DISABLED``; the SDK reads
    its sampler, limits, resource and intervals. An endpoint alone asks for ``otlp``, which speaks
    ``http/protobuf`` unless told otherwise. Does nothing, and imports no SDK, if nobody asks for
    anything; leaves a signal alone that has a provider. So a second call does nothing.

    Raises nothing: what the variables say wrong is a warning, and the rest goes on. A signal of
    which nothing could be made is not tried again, nor warned of, while the variables stay.

    Args:
        role: What this process is, such as ``driver``, ``supervisor`` or ``stage``. Stands in the
            resource as ``stageflow.process.role``, beside ``process.pid`` and a
            ``service.instance.id``.
    """
    asked = exporters_asked_for(os.environ)
    if not asked:
        return Configured()
    variables = _otel_variables()
    free = {
        signal: names
        for signal, names in asked.items()
        if (signal, variables) not in _InVain.tried and _has_no_provider(signal)
    }
    if not free:
        return Configured()
    from stageflow_actors.telemetry.providers import make_providers

    configured = make_providers(free, role)
    _set_providers(configured)
    _InVain.tried.update((signal, variables) for signal in free if _has_no_provider(signal))
    if configured.is_any:
        atexit.register(configured.shutdown)
    return configured


_Variables = frozenset[tuple[str, str]]


class _InVain:
    """What this process has tried to export, under which variables, and could not."""

    tried: ClassVar[set[tuple[Signal, _Variables]]] = set()


def _otel_variables() -> _Variables:
    return frozenset(each for each in os.environ.items() if each[0].startswith("OTEL_"))


def _has_no_provider(signal: Signal) -> bool:
    """Until one is set, the API has a stand-in, whose class is not public for all three."""
    provider: object
    if signal is Signal.TRACES:
        from opentelemetry.trace import get_tracer_provider

        provider = get_tracer_provider()
    elif signal is Signal.METRICS:
        from opentelemetry.metrics import get_meter_provider

        provider = get_meter_provider()
    else:
        from opentelemetry._logs import get_logger_provider

        provider = get_logger_provider()
    kind = type(provider)
    return kind.__name__.strip("_").startswith("Proxy") and kind.__module__.startswith(
        "opentelemetry."
    )


def _set_providers(configured: Configured) -> None:
    if configured.tracer_provider is not None:
        from opentelemetry.trace import set_tracer_provider

        set_tracer_provider(configured.tracer_provider)
    if configured.meter_provider is not None:
        from opentelemetry.metrics import set_meter_provider

        set_meter_provider(configured.meter_provider)
    if configured.logger_provider is not None:
        from opentelemetry._logs import set_logger_provider

        from stageflow_actors.telemetry.log_export import export_log_records

        set_logger_provider(configured.logger_provider)
        export_log_records(configured.logger_provider)
