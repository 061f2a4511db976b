"""``Settings``: the bounds and intervals of a runtime that its users may change."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from stageflow_actors.model.frozen import DEFAULT_MAX_DEPTH

Positive = Annotated[int, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0)]


class Settings(BaseModel):
    """Bounds of a runtime. Each names what happens when it is reached."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_data_depth: Annotated[int, Field(gt=0, le=DEFAULT_MAX_DEPTH)] = DEFAULT_MAX_DEPTH
    """Levels of nesting in a stage's output; deeper fails the stage with ``OUTPUT-DEPTH``."""

    max_events_per_run: Positive = 65_536
    """Events kept of one run; further ones of stages are dropped and counted, never our own."""

    max_queued_events: Positive = 65_536
    """Events waiting for a slow sink; the newest are dropped and counted."""

    event_flush_interval_s: Seconds = 0.25
    """How long a run may hold back events from the sink; one that ends hands them over at once."""

    max_threads_per_stage: Positive = 32
    """Plain ``def`` executions of one stage at a time; further ones wait."""

    max_pending_calls: Positive = 10_000
    """Calls an actor works on at a time; further ones wait in Ray's queue."""

    max_idle_deployments: Positive = 4
    """Deployments that ``pipeline.run`` keeps warm; beyond it the one idle for longest closes."""

    deploy_timeout_s: Seconds = 60.0
    """How long stages may take to start; longer fails the deployment and names the stage."""

    grace_s: Seconds = 0.25
    """How long a body may take to heed a request to stop; then its process is killed."""

    max_retries_per_run: Positive = 100
    """Retries of all stages of one run together; beyond it a failure stands."""

    max_guard_repeats_per_run: Positive = 100
    """Repetitions that all guards of one run may ask for together; beyond it a rejection stands."""

    max_losses_per_stage: Positive = 3
    """Deaths of its process that one stage of a run survives by being repeated."""

    idempotency_lease_s: Seconds = 30.0
    """How long a key stays taken after the process that worked on it has died."""

    cleanup_timeout_s: Seconds = 5.0
    """How long one ``async`` cleanup of a stage or run may take; longer is a failed cleanup."""

    stop_timeout_s: Seconds = 10.0
    """How long runs may take to stop, and then ``teardown``, on closing; then stages are killed."""
