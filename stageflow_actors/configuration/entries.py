"""Stages, pipelines and whole files as data: what they may say. Nothing is imported here."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from stageflow_actors.configuration.policy_entries import (
    AutoscalingEntry,
    BatchingEntry,
    BreakerEntry,
    GuardRetryEntry,
    IdempotencyEntry,
    PlacementEntry,
    RetryEntry,
    TimeoutsEntry,
)
from stageflow_actors.configuration.values import (
    Count,
    Entry,
    ImportPath,
    Names,
    Seconds,
    Text,
)
from stageflow_actors.model.kind import StageKind
from stageflow_actors.model.policies.effects import Effects
from stageflow_actors.model.policies.execution import ExecutionMode
from stageflow_actors.model.policies.restart import Restart

ONE, SEVERAL = "<one>", "<several>"
"""How pydantic calls the two forms that a value may have; no part of a path."""


def _form_of(value: Any) -> str:
    return SEVERAL if isinstance(value, dict | TimeoutsEntry) else ONE


Timeout = Annotated[
    Annotated[Seconds, Tag(ONE)] | Annotated[TimeoutsEntry, Tag(SEVERAL)], Discriminator(_form_of)
]
InputModel = Annotated[
    Annotated[ImportPath, Tag(ONE)] | Annotated[dict[Text, ImportPath], Tag(SEVERAL)],
    Discriminator(_form_of),
]


class StageEntry(Entry):
    """A stage. What is not given is as @stage on its runner says, or else as usual."""

    runner: ImportPath
    """The class or function: package.module:Name."""
    kind: StageKind | None = None
    """A label; may also stand on the class or in @stage."""
    dependencies: Names = ()
    """Stages whose output it reads, and waits for."""
    after: Names = ()
    """Stages that only have to be done before."""
    after_any: Names = ()
    """Stages that have to have ended before, however they ended."""
    conditional: bool = False
    """Skipped where a dependency was skipped, or asks for it."""
    route: Names = ()
    """The route, or routes, of a router on which it runs."""
    router: Text | None = None
    """Which dependency decides on the route, where there are several."""
    config: dict[str, Any] | None = None
    """Constructor arguments of a stage class."""
    timeout: Timeout | None = None
    """Seconds that one execution may take, or all four limits."""
    retry: RetryEntry | None = None
    effects: Effects = Effects.UNKNOWN
    """What repeating it would do."""
    fallback: dict[str, Any] | None = None
    """What its dependents read where it fails."""
    optional: Names = ()
    """Dependencies that it can do without."""
    breaker: BreakerEntry | None = None
    idempotency: IdempotencyEntry | None = None
    restart: Restart = Restart.PERMANENT
    """Whether its process is replaced when it has ended."""
    placement: PlacementEntry | None = None
    replicas: Count = 1
    """How many processes it has."""
    autoscaling: AutoscalingEntry | None = None
    concurrency: Count | None = None
    """How many of its executions one process has at a time; null: no limit."""
    batching: BatchingEntry | None = None
    guard_retry: GuardRetryEntry | None = None
    input_model: InputModel | None = None
    """The pydantic model of what it reads, or one for each dependency."""
    output_model: ImportPath | None = None
    """The pydantic model of what it returns."""


class ExecutionEntry(Entry):
    """What a failure does to the rest of a run."""

    mode: ExecutionMode = ExecutionMode.FAIL_FAST_BLOCKING
    """What a failed stage does to the rest of its run."""
    on_stage_error: ImportPath | None = None
    """A function of the name of a failed stage and its exception."""
    error_policy: dict[Text, ExecutionMode] = Field(default_factory=dict)
    """Stages whose mode is another one."""


class PipelineEntry(Entry):
    """A pipeline."""

    execution: ExecutionEntry | None = None
    interceptors: tuple[ImportPath, ...] | None = None
    """Objects that are called around each execution of a stage; null: those that come along."""
    stages: dict[Text, StageEntry]
    """The stages by name."""


class OnePipelineFile(PipelineEntry):
    """A file with one pipeline. Keys that begin with x- may hold parts for aliases."""

    name: Annotated[str, Field(pattern=r"\S")] | None = None
    """The name of the pipeline; that of the file without its suffix by default."""


class SeveralPipelinesFile(Entry):
    """A file with several pipelines. Keys that begin with x- may hold parts for aliases."""

    pipelines: dict[Annotated[str, Field(pattern=r"\S")], PipelineEntry]
    """The pipelines by name."""
