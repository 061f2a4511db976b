"""The contract of a stage: what a stage class offers, and the spec that every stage has."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from pydantic import BaseModel

from stageflow_actors.model.kind import StageKind
from stageflow_actors.model.output import StageReturn
from stageflow_actors.model.policies.breaker import BreakerPolicy
from stageflow_actors.model.policies.effects import Effects
from stageflow_actors.model.policies.idempotency import IdempotencyPolicy
from stageflow_actors.model.policies.restart import Restart
from stageflow_actors.model.policies.retry import RetryPolicy
from stageflow_actors.model.policies.timeouts import Timeouts
from stageflow_actors.model.stage_context import StageContext

if TYPE_CHECKING:  # few stages have these
    from stageflow_actors.model.policies.batching import Batching
    from stageflow_actors.model.policies.guard import GuardRetryPolicy
    from stageflow_actors.model.policies.placement import Placement
    from stageflow_actors.model.policies.scaling import Autoscaling


@runtime_checkable
class Stage(Protocol):
    """What a stage class offers; nothing has to be inherited.

    ``execute`` may be a plain ``def``: it then runs in a worker thread. ``async def setup(self)``
    and ``async def teardown(self)`` are optional and run once per process of the stage.
    """

    name: str
    kind: StageKind

    def execute(self, ctx: StageContext) -> StageReturn | Awaitable[StageReturn]:
        """Do the work of one run."""


@runtime_checkable
class BatchStage(Protocol):
    """What a stage class offers that executes several runs at once; see ``Batching``.

    ``setup`` and ``teardown`` are as in ``Stage``, and so is what a plain ``def`` means.
    """

    name: str
    kind: StageKind

    def execute_batch(
        self, ctxs: Sequence[StageContext]
    ) -> Sequence[BatchReturn] | Awaitable[Sequence[BatchReturn]]:
        """Do the work of all these runs; as many returns, in the same order.

        An exception in its place fails one of them. What is raised fails them all where their
        ``Effects`` do not allow that they are executed again, in smaller batches.
        """


BatchReturn = StageReturn | BaseException
StageFunction = Callable[[StageContext], StageReturn | Awaitable[StageReturn]]
StageRunner = type[Any] | StageFunction | Stage | BatchStage
"""A stage class, a stage instance, an ``async def`` or a plain ``def``."""
InputModel = type[BaseModel] | Mapping[str, type[BaseModel]]
"""One model for the only input of a stage, or one for each dependency."""


@dataclass(frozen=True, slots=True)
class StageSpec:
    """One declared stage: its name, what runs it, and everything ``StageOptions`` lists.

    Always usable: names are names, a route has its router among the dependencies, and so on.
    """

    name: str
    runner: StageRunner
    kind: StageKind
    dependencies: tuple[str, ...] = ()
    config: Mapping[str, Any] | None = None
    timeout: float | Timeouts | None = None
    after: tuple[str, ...] = ()
    after_any: tuple[str, ...] = ()
    conditional: bool = False
    route: tuple[str, ...] = ()
    router: str | None = None
    input_model: InputModel | None = None
    output_model: type[BaseModel] | None = None
    optional: tuple[str, ...] = ()
    fallback: Mapping[str, Any] | None = None
    retry: RetryPolicy | None = None
    effects: Effects = Effects.UNKNOWN
    guard_retry: GuardRetryPolicy | None = None
    breaker: BreakerPolicy | None = None
    idempotency: IdempotencyPolicy | None = None
    restart: Restart = Restart.PERMANENT
    placement: Placement | None = None
    replicas: int = 1
    autoscaling: Autoscaling | None = None
    concurrency: int | None = None
    batching: Batching | None = None

    def __post_init__(self) -> None:
        # Not in a stage's process: a spec that has arrived there was checked where it was made.
        from stageflow_actors.model.spec_checks import checked_fields

        for field, value in checked_fields(self).items():
            object.__setattr__(self, field, value)

    @property
    def limits(self) -> Timeouts:
        """Its limits of time, whatever form they were given in."""
        given = self.timeout
        return given if isinstance(given, Timeouts) else Timeouts(attempt=given)


def body_of(runner: StageRunner) -> Callable[..., Any]:
    """What is called: the function itself, or of an instance ``execute`` or ``execute_batch``.

    With the context of a run, ``execute_batch`` with those of several.
    """
    method = getattr(runner, "execute", None) or getattr(runner, "execute_batch", None)
    return cast("Callable[..., Any]", method or runner)


def takes_batches(runner: StageRunner) -> bool:
    """Whether the body of ``runner`` is called with the contexts of several runs."""
    return not hasattr(runner, "execute") and hasattr(runner, "execute_batch")


def is_blocking(runner: StageRunner) -> bool:
    """Whether the body of ``runner`` is a plain ``def``, which has to run in a thread."""
    body = body_of(runner)
    while isinstance(body, functools.partial):
        body = body.func
    return not (
        inspect.iscoroutinefunction(body)
        or inspect.iscoroutinefunction(getattr(body, "__call__", None))  # noqa: B004 - the bound method
    )


def instantiate(spec: StageSpec) -> Stage | BatchStage | StageFunction:
    """What actually runs: a new instance of a stage class, anything else as it is."""
    if isinstance(spec.runner, type):
        return cast("Stage", spec.runner(**(spec.config or {})))
    return spec.runner
