"""Interceptors that watch: log records, metrics and spans of every attempt. Idle unless wanted."""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from stageflow_actors.errors import describe_exception
from stageflow_actors.interceptors.protocol import AttemptEnd, BaseInterceptor
from stageflow_actors.model.output import StageStatus
from stageflow_actors.model.stage_context import StageContext

if TYPE_CHECKING:
    from contextvars import Token

    from opentelemetry.context import Context
    from opentelemetry.metrics import Counter, Histogram, Meter, MeterProvider
    from opentelemetry.trace import Span, Tracer, TracerProvider

logger = logging.getLogger("stageflow_actors.stages")

_SCOPE = "stageflow_actors"
_NOTICED_WITHIN_S = 0.1
_SECONDS = (0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_METRICS = "opentelemetry.metrics"
_TRACE = "opentelemetry.trace"


class LoggingInterceptor(BaseInterceptor):
    """One record when an attempt begins and one when it has ended, on ``stageflow_actors.stages``.

    What they say is in their attributes, too: ``event``, ``pipeline``, ``pipeline_run_id``,
    ``stage``, ``attempt``; at the end ``outcome``, ``seconds`` and ``error_type``. Neither data nor
    texts of errors. Idle unless the logger is enabled for INFO.
    """

    name = "logging"
    priority = 50

    def is_idle(self) -> bool:
        return not logger.isEnabledFor(logging.INFO)

    def before(self, stage_name: str, ctx: StageContext) -> None:
        logger.info(
            "Stage '%s' begins, attempt %d.",
            stage_name,
            ctx.attempt,
            extra=_described("stage.attempt.started", stage_name, ctx),
        )

    def ended(self, stage_name: str, end: AttemptEnd, ctx: StageContext) -> None:
        logger.info(
            "Stage '%s' ended, attempt %d: %s after %.3f s.",
            stage_name,
            ctx.attempt,
            end.outcome,
            end.seconds,
            extra={
                **_described("stage.attempt.ended", stage_name, ctx),
                "outcome": end.outcome,
                "seconds": end.seconds,
                "error_type": None if end.error is None else type(end.error).__qualname__,
            },
        )


class _Telemetry(BaseInterceptor):
    """Observes through an API of OpenTelemetry; idle until the process has set a provider for it.

    That is noticed within a tenth of a second: asking costs microseconds, and an attempt not more.
    """

    _is_idle = True
    _asks_again_at = 0.0

    def is_idle(self) -> bool:
        now = time.monotonic()
        if now >= self._asks_again_at:
            self._is_idle = self._provider() is None
            self._asks_again_at = now + _NOTICED_WITHIN_S
        return self._is_idle

    def _provider(self) -> object | None:
        raise NotImplementedError


class _Instruments(NamedTuple):
    provider: MeterProvider
    seconds: Histogram
    attempts: Counter


class MetricsInterceptor(_Telemetry):
    """Counts attempts and measures their seconds, by pipeline, stage and outcome.

    Idle until the process has set a meter provider with ``opentelemetry.metrics``, which it notices
    within a tenth of a second.
    """

    name = "metrics"
    priority = 40
    _instruments: _Instruments | None = None

    def _provider(self) -> object | None:
        return _provider_of(_METRICS, "get_meter_provider")

    def ended(self, stage_name: str, end: AttemptEnd, ctx: StageContext) -> None:
        provider = _provider_of(_METRICS, "get_meter_provider")
        if provider is None:
            return
        kept = self._instruments
        if kept is None or kept.provider is not provider:
            kept = self._instruments = _make_instruments(cast("MeterProvider", provider))
        labels = {"pipeline": ctx.topology or "", "stage": stage_name, "outcome": end.outcome}
        kept.seconds.record(end.seconds, labels)
        kept.attempts.add(1, labels)

    def __getstate__(self) -> dict[str, Any]:
        """Without what belongs to this process."""
        return {**self.__dict__, "_instruments": None, "_asks_again_at": 0.0}


class ChildTrackerMetricsInterceptor(_Telemetry):
    """Counts the runs that stages start, by pipeline and stage.

    Idle until the process has set a meter provider with ``opentelemetry.metrics``, which it notices
    within a tenth of a second.
    """

    name = "child_tracker_metrics"
    priority = 45
    _counter: tuple[object, Counter] | None = None

    def _provider(self) -> object | None:
        return _provider_of(_METRICS, "get_meter_provider")

    def ended(self, stage_name: str, end: AttemptEnd, ctx: StageContext) -> None:
        provider = self._provider()
        if provider is None or not ctx.child_runs:
            return
        kept = self._counter
        if kept is None or kept[0] is not provider:
            meter = cast("MeterProvider", provider).get_meter(_SCOPE)
            kept = self._counter = provider, _make_child_counter(meter)
        kept[1].add(ctx.child_runs, {"pipeline": ctx.topology or "", "stage": stage_name})

    def __getstate__(self) -> dict[str, Any]:
        """Without what belongs to this process."""
        return {**self.__dict__, "_counter": None, "_asks_again_at": 0.0}


class TracingInterceptor(_Telemetry):
    """A span for each attempt, current while it lasts; spans that the stage opens are below it.

    Idle until the process has set a tracer provider with ``opentelemetry.trace``, which it notices
    within a tenth of a second.
    """

    name = "tracing"
    priority = 20
    _tracer: tuple[TracerProvider, Tracer] | None = None

    def __init__(self) -> None:
        self._open: dict[int, tuple[Span, Token[Context]]] = {}  # by the id of the live context

    def _provider(self) -> object | None:
        return _provider_of(_TRACE, "get_tracer_provider")

    def before(self, stage_name: str, ctx: StageContext) -> None:
        provider = cast("TracerProvider | None", _provider_of(_TRACE, "get_tracer_provider"))
        if provider is None:
            return
        from opentelemetry import context, trace

        if self._tracer is None or self._tracer[0] is not provider:
            self._tracer = provider, provider.get_tracer(_SCOPE)
        span = self._tracer[1].start_span(
            f"stage {stage_name}",
            attributes={
                "stageflow.pipeline": ctx.topology or "",
                "stageflow.pipeline_run_id": str(ctx.pipeline_run_id),
                "stageflow.stage": stage_name,
                "stageflow.attempt": ctx.attempt,
            },
        )
        self._open[id(ctx)] = span, context.attach(trace.set_span_in_context(span))

    def ended(self, stage_name: str, end: AttemptEnd, ctx: StageContext) -> None:
        opened = self._open.pop(id(ctx), None)
        if opened is None:
            return
        from opentelemetry import context
        from opentelemetry.trace import Status, StatusCode

        span, token = opened
        context.detach(token)
        span.set_attribute("stageflow.outcome", end.outcome)
        if end.outcome in (StageStatus.FAIL, StageStatus.RETRY):
            span.set_status(Status(StatusCode.ERROR))
            if end.error is not None:  # record_exception would trust the error's own ``__str__``
                described = {
                    "exception.type": type(end.error).__qualname__,
                    "exception.message": describe_exception(end.error),
                }
                span.add_event("exception", described)
        span.end()

    def __getstate__(self) -> dict[str, Any]:
        """Without what belongs to this process."""
        return {**self.__dict__, "_open": {}, "_tracer": None, "_asks_again_at": 0.0}


def _provider_of(api: str, getter: str) -> object | None:
    """The provider that the process has set, or ``None``. Loads nothing: who sets one has."""
    get_provider = getattr(sys.modules.get(api), getter, None)
    if get_provider is None:
        return None
    provider: object = get_provider()
    # Where none is set, or one that does nothing, its class is the API's own.
    is_real = not type(provider).__module__.startswith(api)
    return provider if is_real else None


def _make_child_counter(meter: Meter) -> Counter:
    return meter.create_counter(
        "stageflow.stage.child_runs", unit="{run}", description="Runs that stages have started"
    )


def _make_instruments(provider: MeterProvider) -> _Instruments:
    meter = provider.get_meter(_SCOPE)
    seconds = meter.create_histogram(
        "stageflow.stage.attempt.duration",
        unit="s",
        description="Seconds that attempts of stages took",
        explicit_bucket_boundaries_advisory=_SECONDS,
    )
    attempts = meter.create_counter(
        "stageflow.stage.attempts", unit="{attempt}", description="Attempts of stages, by outcome"
    )
    return _Instruments(provider, seconds, attempts)


def _described(event: str, stage_name: str, ctx: StageContext) -> dict[str, object]:
    return {
        "event": event,
        "pipeline": ctx.topology,
        "pipeline_run_id": str(ctx.pipeline_run_id),
        "stage": stage_name,
        "attempt": ctx.attempt,
    }
