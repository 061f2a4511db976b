"""A ``TraceContext`` of ours as the API of OpenTelemetry has it."""

from __future__ import annotations

from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from stageflow_actors.model.trace import TraceContext


def span_context(trace: TraceContext) -> SpanContext:
    """The span of somewhere else."""
    flags = TraceFlags(TraceFlags.SAMPLED if trace.is_sampled else TraceFlags.DEFAULT)
    state = TraceState.from_header([trace.state]) if trace.state else None
    return SpanContext(int(trace.trace_id, 16), int(trace.span_id, 16), True, flags, state)


def as_context(trace: TraceContext) -> Context:
    """A context in which it is the current span."""
    return set_span_in_context(NonRecordingSpan(span_context(trace)), Context())


def trace_of(context: SpanContext) -> TraceContext:
    """What is to be below that span of this process."""
    return TraceContext(
        f"{context.trace_id:032x}",
        f"{context.span_id:016x}",
        context.trace_flags.sampled,
        state=context.trace_state.to_header(),
    )
