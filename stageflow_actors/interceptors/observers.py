"""Interceptors that watch every attempt, or have the runtime do so. Idle unless wanted."""

from __future__ import annotations

import logging
from typing import Any, final

from stageflow_actors.interceptors.protocol import AttemptEnd, BaseInterceptor, NeverCalled
from stageflow_actors.model.stage_context import StageContext
from stageflow_actors.telemetry.exporting import Noticed

logger = logging.getLogger("stageflow_actors.stages")


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


@final
class MetricsInterceptor(NeverCalled):
    """Has the runtime measure the stages: their attempts, and the calls of providers in these.

    It does so once the process that starts the runs exports metrics. A pipeline without this one
    has those of its runs only.
    """

    name = "metrics"
    priority = 40


@final
class ChildTrackerMetricsInterceptor(NeverCalled):
    """Has the runtime count the runs that the stages start.

    It does so once the process that starts the runs exports metrics.
    """

    name = "child_tracker_metrics"
    priority = 45


@final
class TracingInterceptor(NeverCalled):
    """Has the runtime make the span of an attempt the current one of its process.

    Spans that the stage opens are below it, and what the stage sets on it becomes part of it. The
    runtime does so for a run that has spans, in whatever process the stage is; and for one that has
    none, but is in a trace, once the process has set a tracer provider of its own with
    ``opentelemetry.trace``, which it notices within a tenth of a second.
    """

    name = "tracing"
    priority = 20

    def __init__(self) -> None:
        self._noticed = Noticed()

    def make_current(self, ctx: StageContext) -> None:
        """For the runtime: in the task that executes the stage, in a context of its own."""
        trace = ctx.trace
        if trace is None:
            return
        if (trace.is_recorded and trace.is_sampled) or self._noticed.tracers is not None:
            from stageflow_actors.interceptors.attempt_span import make_current

            ctx.span = make_current(trace)

    def __getstate__(self) -> dict[str, Any]:
        """Without what belongs to this process."""
        return {**self.__dict__, "_noticed": Noticed()}


def _described(event: str, stage_name: str, ctx: StageContext) -> dict[str, object]:
    return {
        "event": event,
        "pipeline": ctx.topology,
        "pipeline_run_id": str(ctx.pipeline_run_id),
        "stage": stage_name,
        "attempt": ctx.attempt,
    }
