"""Whether a run is to have spans: what the sampler of the provider says. Imports the SDK."""

from __future__ import annotations

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import SpanKind, TracerProvider

from stageflow_actors.model.trace import TraceContext
from stageflow_actors.providers import semconv
from stageflow_actors.telemetry.remote import as_context


def is_sampled(
    provider: TracerProvider, own: TraceContext, parent: TraceContext | None, pipeline: str
) -> bool:
    """Whether the run ``own`` below ``parent`` has them; a provider without a sampler takes all."""
    sampler = getattr(provider, "sampler", None)
    if sampler is None:
        return True
    decision = sampler.should_sample(
        Context() if parent is None else as_context(parent),  # never whatever is current
        int(own.trace_id, 16),
        f"{semconv.OPERATION_INVOKE_WORKFLOW} {pipeline}",
        SpanKind.INTERNAL,
        {semconv.GEN_AI_WORKFLOW_NAME: pipeline},
    ).decision
    return bool(decision is Decision.RECORD_AND_SAMPLE)
