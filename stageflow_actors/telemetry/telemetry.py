"""``Telemetry``: what a runtime exports, where its process exports anything."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from stageflow_actors.model.trace import TraceContext, new_trace
from stageflow_actors.story.story import RunStory
from stageflow_actors.telemetry.exporting import Noticed
from stageflow_actors.telemetry.metering import Metering
from stageflow_actors.telemetry.sink import Listener, TelemetrySink

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

    from stageflow_actors.telemetry.spans import SpanWriter

logger = logging.getLogger("stageflow_actors.telemetry")


class Telemetry:
    """Off until the process has set a provider with the API of OpenTelemetry, which it notices
    within a tenth of a second. While it is off nothing of the SDK is loaded.

    ``unobserved`` counts the runs that it gave up, as more than ``max_runs`` went on.
    """

    def __init__(self, max_runs: int) -> None:
        self._noticed = Noticed()
        self._spans: tuple[TracerProvider, SpanWriter | None] | None = None
        self._has_warned = False
        self.metering = Metering(self._noticed)
        self.sink = TelemetrySink(self._listeners, max_runs, self._give_up)
        self.unobserved = 0

    @property
    def is_on(self) -> bool:
        """Whether there is anybody to tell."""
        return self._noticed.tracers is not None or self.metering.is_on

    def begin(self, parent: TraceContext | None, pipeline: str) -> TraceContext | None:
        """The span of a run that is to start below ``parent``, or below what the caller is in.

        ``None``: it is not traced.
        """
        parent = _usable(parent) or _usable(TraceContext.active()) or _current_span()
        own = self._sampled(parent, pipeline)
        if own is None:
            return None if parent is None else parent._replace(is_recorded=False)
        return own

    def _sampled(self, parent: TraceContext | None, pipeline: str) -> TraceContext | None:
        """``None``: nobody makes spans; then none may be below one that nobody makes."""
        if self._span_writer() is None or self._spans is None:
            return None
        from stageflow_actors.telemetry.sampling import is_sampled

        own = new_trace() if parent is None else parent.child()
        try:
            return own._replace(is_sampled=is_sampled(self._spans[0], own, parent, pipeline))
        except Exception as error:
            if not self._has_warned:
                self._has_warned = True
                logger.warning("Runs have no spans: their sampler raised.", exc_info=error)
            return own._replace(is_sampled=False)

    def _give_up(self, story: RunStory) -> None:
        self.unobserved += 1
        self.metering.unobserved(story.pipeline)

    def _listeners(self) -> Sequence[Listener]:
        listeners = (self.metering.writer(), self._span_writer())
        return [each for each in listeners if each is not None]

    def _span_writer(self) -> SpanWriter | None:
        provider = self._noticed.tracers
        if provider is None:
            return None
        if self._spans is None or self._spans[0] is not provider:
            self._spans = provider, _span_writer(provider)
        return self._spans[1]


def _span_writer(provider: TracerProvider) -> SpanWriter | None:
    from stageflow_actors.telemetry.spans import SpanWriter

    try:
        return SpanWriter(provider)
    except Exception as error:  # a provider of somebody's own may raise anything
        logger.warning("Runs have no spans: %r", error)
        return None


def _usable(trace: TraceContext | None) -> TraceContext | None:
    """It is, if headers could bring it: whoever sets it may set anything."""
    if trace is None or not isinstance(trace, TraceContext):
        return None
    return trace if TraceContext.from_headers({"traceparent": trace.traceparent}) else None


def _current_span() -> TraceContext | None:
    """The caller's, if its process uses the API at all."""
    api = sys.modules.get("opentelemetry.trace")
    if api is None:
        return None
    try:
        context = api.get_current_span().get_span_context()
        is_valid = context.is_valid
    except Exception:  # a span of somebody's own, which has none
        return None
    if not is_valid:
        return None
    from stageflow_actors.telemetry.remote import trace_of

    return trace_of(context)
