"""Policies of a stage as a file has them: each field is that of the policy of the same name."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from stageflow_actors.configuration.values import (
    Amount,
    Bytes,
    Count,
    Delay,
    Entry,
    ErrorNames,
    ImportPath,
    Milliseconds,
    Number,
    Seconds,
    Text,
)
from stageflow_actors.model.policies.batching import Batching
from stageflow_actors.model.policies.breaker import BreakerPolicy
from stageflow_actors.model.policies.guard import GuardRetryPolicy
from stageflow_actors.model.policies.idempotency import IdempotencyPolicy
from stageflow_actors.model.policies.placement import Placement
from stageflow_actors.model.policies.retry import BackoffStrategy, JitterStrategy, RetryPolicy
from stageflow_actors.model.policies.scaling import Autoscaling
from stageflow_actors.model.policies.timeouts import Timeouts

_TRANSIENT = ("TimeoutError", "ConnectionError", "OSError", "stageflow_actors:TransientError")


class PolicyEntry(Entry):
    """A policy; ``makes`` is its class."""

    makes: ClassVar[type[Any]]


class TimeoutsEntry(PolicyEntry):
    """The four limits of a stage, in seconds; null: no limit."""

    makes = Timeouts

    attempt: Seconds | None = None
    """How long one execution may take, cleanups included."""
    total: Seconds | None = None
    """How long all of them may take, with the waits between."""
    idle: Seconds | None = None
    """How long an execution may show no sign of life."""
    heartbeat: Seconds | None = None
    """How long an execution may go without ctx.heartbeat()."""


class RetryEntry(PolicyEntry):
    """Which failures are tried again, how often and after how long."""

    makes = RetryPolicy

    max_attempts: Count = 3
    """How often it is executed in all."""
    initial_delay_s: Delay = 1.0
    """Seconds before the second attempt."""
    max_delay_s: Delay = 30.0
    """The longest delay, in seconds, before jitter."""
    backoff: BackoffStrategy = BackoffStrategy.EXPONENTIAL
    """How the delay grows."""
    jitter: JitterStrategy = JitterStrategy.FULL
    """How chance spreads the delay."""
    retry_on: ErrorNames = _TRANSIENT
    """Exceptions that are tried again."""
    never_on: ErrorNames = ()
    """Exceptions among them that are not."""
    max_retry_after_s: Delay = 60.0
    """The longest wait, in seconds, that a failure may ask for."""


class BreakerEntry(PolicyEntry):
    """When a stage is left alone for a while because it keeps failing."""

    makes = BreakerPolicy

    failure_threshold: Count = 5
    """Failures in a row that open it."""
    reset_timeout_s: Seconds = 30.0
    """Seconds that it stays open."""
    half_open_probes: Count = 1
    """Executions that have to succeed before it closes."""
    trip_on: ErrorNames = (*_TRANSIENT, "stageflow_actors:StageLostError")
    """Exceptions that count."""


class GuardRetryEntry(PolicyEntry):
    """Which stage runs again when this one rejects what that has made."""

    makes = GuardRetryPolicy

    retry_stage: Text
    """The stage that runs again."""
    max_attempts: Count = 2
    """Rejections after which it is enough."""
    stagnation_limit: Count = 2
    """Repeats that changed nothing after which it is enough, too."""
    hash_fields: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    """Keys of the guard's data by which rejections are compared; null: all of it."""
    timeout_s: Seconds | None = None
    """Seconds from the first rejection."""


class IdempotencyEntry(PolicyEntry):
    """Equal requests, told by a key in the run's data, are executed once."""

    makes = IdempotencyPolicy

    key: Text = "idempotency_key"
    """Where the key stands in the run's data."""
    params: Text = "idempotency_params"
    """Where what belongs to the key stands there."""
    ttl_s: Seconds = 86_400.0
    """Seconds that an answer is kept."""


class PlacementEntry(PolicyEntry):
    """What the process of a stage needs of the machine that it runs on."""

    makes = Placement

    num_cpus: Amount = 0
    """CPUs; fractions are allowed."""
    num_gpus: Amount = 0
    """GPUs; fractions below 1 are allowed."""
    memory: Bytes = 0
    """Bytes."""
    resources: dict[Text, Amount] = Field(default_factory=dict)
    """Custom resources of the cluster, by name."""
    labels: dict[Text, Text] = Field(default_factory=dict)
    """Labels that the node must have: x, !x, in(x,y) or !in(x,y)."""
    fallbacks: tuple[PlacementEntry, ...] = ()
    """Placements with other labels that will do, the best first."""
    cpu_fallback: bool = False
    """Whether it does without GPUs where no node has any."""
    runtime_env: dict[str, Any] | None = None
    """Ray's: env_vars, pip and so on."""
    share: Text | None = None
    """Stages with the same name here live in one process."""


class AutoscalingEntry(PolicyEntry):
    """How many processes a stage has, by how much there is to do."""

    makes = Autoscaling

    min_replicas: Count = 1
    """Processes that there are at least."""
    max_replicas: Count = 4
    """Processes that there are at most."""
    initial_replicas: Count | None = None
    """Processes at first; null: as many as at least."""
    target_ongoing_requests: Number = 2.0
    """Executions that each has on average, running or waiting."""
    upscale_delay_s: Delay = 1.0
    """Seconds that more have to be wanted."""
    downscale_delay_s: Delay = 30.0
    """Seconds that fewer have to be wanted."""


class BatchingEntry(PolicyEntry):
    """How many runs a stage takes at once, and how long it waits for more of them."""

    makes = Batching

    max_batch_size: Count = 16
    """Runs of a batch at most."""
    batch_wait_ms: Milliseconds = 0.0
    """Milliseconds that a batch waits to become full."""
    batch_size_fn: ImportPath | None = None
    """A function of the context that says what an item weighs."""
    max_batch_weight: Number | None = None
    """What the items of a batch weigh together at most."""
