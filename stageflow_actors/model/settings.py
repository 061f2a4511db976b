"""``Settings``: the bounds and intervals of a runtime that its users may change."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from stageflow_actors.model.frozen import DEFAULT_MAX_DEPTH

Positive = Annotated[int, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0)]


class Settings(BaseModel):
    """Bounds of a runtime. Each names what happens when it is reached.

    The validator is built where the first are made: a stage's process gets made ones.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    max_data_depth: Annotated[int, Field(gt=0, le=DEFAULT_MAX_DEPTH)] = DEFAULT_MAX_DEPTH
    """Levels of nesting in a stage's output; deeper fails the stage with ``OUTPUT-DEPTH``."""

    max_events_per_run: Positive = 65_536
    """Events kept of one run; further ones of stages are dropped and counted, never our own."""

    wide_events: bool = False
    """Whether each stage and each run end with one event that has all that is known of them:
    ``stage.wide`` and ``pipeline.wide``."""

    max_queued_events: Positive = 65_536
    """Events waiting for a slow sink; the newest are dropped and counted."""

    max_observed_runs: Positive = 50_000
    """Runs that go on and are exported; beyond it the one that began first is given up, so that
    its metrics and spans are not whole, and counted."""

    event_flush_interval_s: Seconds = 0.25
    """How long a run may hold back events from the sink; one that ends hands them over at once."""

    gauges_interval_s: Seconds = 5.0
    """How often a deployment is looked at for what its metrics say of it now, where they are on."""

    fork_processes: bool = True
    """Whether a Ray that is started here forks the processes of stages from one that has imported
    Ray and this library, which takes a fifth of the time. On Linux only."""

    ray_metrics: bool = False
    """Whether metrics go through Ray's own, too, which its nodes offer to Prometheus."""

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

    spares_at_start: bool = False
    """Whether it has them from the start, and not only after the first death."""

    heartbeat_interval_s: Seconds = 1.0
    """How often a stage's process that works is asked whether its event loop still turns."""

    heartbeat_timeout_s: Seconds = 30.0
    """How long its answer may take; then the process is ended and replaced."""

    max_unanswered_calls: Positive = 5
    """How often a call to a stage whose reply was lost is repeated; then its process is ended."""

    direct_calls: bool = True
    """Whether processes of one machine talk over sockets; if not, or between machines, every
    message is a call of Ray, which takes about ten times as long."""

    max_messages_per_call: Positive = 128
    """Executions, or runs, that travel in one call; the others wait for the next one."""

    max_bytes_per_call: Positive = 90 * 2**10
    """Bytes that travel in one call, or in its answer; a larger message travels alone. Beyond
    100 KiB Ray takes a detour through its object store, which costs more than another call."""

    max_inline_bytes: Positive = 100 * 2**10
    """Bytes of an output that travel inside messages; a larger one stays where it was made, in
    Ray's object store, and travels as a reference."""

    stream_window_bytes: Positive = 256 * 2**10
    """Bytes that an execution has streamed out and its run's reader has not asked for; then
    ``ctx.stream.send`` waits."""

    max_held_stream_bytes: Annotated[int, Field(ge=0)] = 64 * 2**10
    """Bytes of pieces that are held for a run that nobody reads yet; the oldest are dropped, and
    counted in ``describe()`` and in ``stream.chunk_dropped``."""

    max_piece_bytes: Positive = 2**20
    """Bytes of one piece of a stream; a larger one is refused with ``STREAM-TOO-LARGE``."""

    background_share: Positive = 5
    """Where executions or runs wait, one in so many that begin is a background one, if any is."""

    max_hosts_per_deployment: Positive = 32
    """Processes of a deployment; beyond it stages that ask for nothing are packed together."""

    scaling_interval_s: Seconds = 0.25
    """How often a stage with ``autoscaling`` is looked at."""

    max_running_runs: Positive = 1_000
    """Runs that a deployment works on at a time; further ones wait, and nothing of them begins."""

    max_waiting_runs: Annotated[int, Field(ge=0)] = 100_000
    """Runs that may wait for their turn; more are refused with ``RUN-REFUSED``."""

    max_waiting_bytes: Positive = 256 * 2**20
    """Bytes of what all waiting runs start with; more are refused with ``RUN-REFUSED``."""

    max_running_runs_per_tenant: Positive | None = None
    """Runs of one tenant, told by its ``org_id``, that are worked on at a time; more wait."""

    max_waiting_runs_per_tenant: Annotated[int, Field(ge=0)] | None = None
    """Runs of one tenant that may wait; more are refused with ``RUN-REFUSED``."""

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
