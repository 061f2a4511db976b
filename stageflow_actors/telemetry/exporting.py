"""Whether this process exports anything: the providers that it has set, if it has."""

from __future__ import annotations

import logging
import math
import sys
import time
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

logger = logging.getLogger("stageflow_actors.telemetry")

_NOTICED_WITHIN_S = 0.1


class Noticed:
    """The providers that the process has set with the API; asked for at most ten times a second.

    Asking costs microseconds, and a run not more. Loads nothing: who sets a provider has.
    """

    def __init__(self) -> None:
        self._tracers: TracerProvider | None = None
        self._meters: MeterProvider | None = None
        self._asks_again_at = 0.0

    @property
    def tracers(self) -> TracerProvider | None:
        """Of spans."""
        self._ask()
        return self._tracers

    @property
    def meters(self) -> MeterProvider | None:
        """Of metrics."""
        self._ask()
        return self._meters

    def _ask(self) -> None:
        now = time.monotonic()
        if now >= self._asks_again_at:
            self._asks_again_at = now + _NOTICED_WITHIN_S
            try:
                self._tracers = tracer_provider()
                self._meters = meter_provider()
            except Exception as error:  # the API's own, where a variable names none that there is
                self._asks_again_at = math.inf
                logger.warning("Nothing is exported, as there is no provider: %r", error)


def tracer_provider() -> TracerProvider | None:
    """That of spans, or ``None`` where the process has set none."""
    return cast("TracerProvider | None", _provider_of("opentelemetry.trace", "get_tracer_provider"))


def meter_provider() -> MeterProvider | None:
    """That of metrics, or ``None`` where the process has set none."""
    return cast("MeterProvider | None", _provider_of("opentelemetry.metrics", "get_meter_provider"))


def _provider_of(api: str, getter: str) -> object | None:
    get_provider = getattr(sys.modules.get(api), getter, None)
    if get_provider is None:
        return None
    provider: object = get_provider()
    # Where none is set, or one that does nothing, its class is the API's own.
    is_real = not type(provider).__module__.startswith(api)
    return provider if is_real else None
