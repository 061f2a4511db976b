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
    """Deaths of its process after which a stage of a run is tried alone in a fresh one; if that
    dies, too, its input is poisoned, and it fails with ``STAGE-POISONED``."""

    restart_intensity: Annotated[int, Field(ge=0)] = 5
    """Restarts within ``restart_period_s`` of processes that died before they had worked on
    anything, or could not be set up; one more ends all runs with ``SUPERVISION-ESCALATED``."""

    restart_period_s: Seconds = 30.0
    """See ``restart_intensity``."""

    spare_processes: Annotated[int, Field(ge=0)] = 1
    """Processes that a deployment keeps ready once a stage's has died, so that the next one that
    dies is replaced without waiting for a process to start."""

    heartbeat_interval_s: Seconds = 1.0
    """How often a stage's process that works is asked whether its event loop still turns."""

    heartbeat_timeout_s: Seconds = 30.0
    """How long its answer may take; then the process is ended and replaced."""

    max_unanswered_calls: Positive = 5
    """How often a call to a stage whose reply was lost is repeated; then its process is ended."""

    max_kept_receipts: Annotated[int, Field(ge=0)] = 1_000
    """Receipts that a stage's process keeps for when one was lost on its way; an execution whose
    receipt was lost and is not kept any more counts as lost."""

    max_kept_reports: Positive = 1_000
    """Reports of runs that a supervisor keeps for when one was lost on its way; a run whose report
    was lost and is not kept any more ends with ``RUN-LOST``."""

    max_kept_reply_bytes: Positive = 16 * 2**20
    """Bytes of all receipts, or reports, that a process keeps; the oldest go first."""

    placement_timeout_s: Seconds = 30.0
    """How long a stage may wait for a node that has room for it; then the deployment is refused,
    or, where a process was to be replaced, all runs end with ``SUPERVISION-ESCALATED``."""

    max_spawn_depth: Annotated[int, Field(ge=0)] = 5
    """Levels of child runs below the first run; deeper raises ``SPAWN-DEPTH`` in the stage."""

    max_children_per_stage: Positive = 1_000
    """Child runs that one execution of a stage may start; more raise ``SPAWN-REFUSED`` there."""

    child_idle_s: Seconds = 60.0
    """How long the processes of a child pipeline stay up without a run; then they are stopped."""

    idempotency_lease_s: Seconds = 30.0
    """How long a key stays taken after the process that worked on it has died."""

    cleanup_timeout_s: Seconds = 5.0
    """How long one ``async`` cleanup of a stage or run may take; longer is a failed cleanup."""

    stop_timeout_s: Seconds = 10.0
    """How long runs may take to stop, and then ``teardown``, on closing; then stages are killed."""
