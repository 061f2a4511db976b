"""``Plan``: the validated shape of a pipeline as plain data, without any user code.

This is all that deciding what happens next needs to know, and all that a supervisor sees.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush
from typing import Any

from stageflow_actors.errors import (
    ContractErrorInfo,
    CycleDetectedError,
    PipelineValidationError,
    PolicyError,
    StageDefinitionError,
)
from stageflow_actors.model.guard_regions import GuardPlacement, GuardPlan, place_guards
from stageflow_actors.model.policies.breaker import BreakerSettings
from stageflow_actors.model.policies.effects import Effects
from stageflow_actors.model.policies.execution import ExecutionConfig, ExecutionMode
from stageflow_actors.model.policies.idempotency import IdempotencyPolicy
from stageflow_actors.model.policies.placement import Placement
from stageflow_actors.model.policies.restart import Restart
from stageflow_actors.model.policies.retry import RetrySchedule
from stageflow_actors.model.policies.scaling import Autoscaling
from stageflow_actors.model.sharing import check_shares
from stageflow_actors.model.stage import StageSpec, is_blocking

DEFAULT_EXECUTION = ExecutionConfig()


@dataclass(frozen=True, slots=True)
class StagePlan:
    """One stage of a plan; the other stages it names are indices into ``Plan.stages``.

    ``dependencies`` hand it their data, ``after`` only come before it, ``after_any`` too, however
    they end, and ``gates`` are the guards that have to let pass what it reads; ``dependents`` wait
    for it, for any of these reasons. With ``route`` it runs only where ``router`` has taken one of
    them. ``wiring`` says by name what it waits for, as the events do that tell of its start. Times
    are in seconds.
    """

    name: str
    kind: str
    dependencies: tuple[int, ...]
    after: tuple[int, ...]
    dependents: tuple[int, ...]
    timeout_s: float | None
    after_any: tuple[int, ...] = ()
    conditional: bool = False
    route: tuple[str, ...] = ()
    router: int | None = None
    gates: tuple[int, ...] = ()
    optional: frozenset[int] = frozenset()
    mode: ExecutionMode = ExecutionMode.FAIL_FAST_BLOCKING
    fallback: Mapping[str, Any] | None = None
    retry: RetrySchedule | None = None
    effects: Effects = Effects.UNKNOWN
    total_s: float | None = None
    guard: GuardPlan | None = None
    is_blocking: bool = False
    breaker: BreakerSettings | None = None
    idempotency: IdempotencyPolicy | None = None
    restart: Restart = Restart.PERMANENT
    placement: Placement | None = None
    replicas: int = 1
    autoscaling: Autoscaling | None = None
    concurrency: int | None = None
    is_batching: bool = False
    wiring: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def strict(self) -> tuple[int, ...]:
        """The stages before it that must not have failed, unless it can do without their data."""
        return (*self.dependencies, *self.after, *self.gates)


@dataclass(frozen=True, slots=True)
class Plan:
    """A pipeline's stages in topological order, ties in the order of their declaration.

    ``finalizers`` are those that run after a failure, too: the ones with ``after_any``.
    """

    name: str
    stages: tuple[StagePlan, ...]
    finalizers: tuple[int, ...] = ()
    waits: tuple[int, ...] = field(init=False, repr=False, compare=False)
    """For how many stages each one waits."""
    stage_names: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """Names in topological order."""
    guards: tuple[tuple[str, tuple[str, ...]], ...] = field(init=False, repr=False, compare=False)
    """Each stage that may have the work of others repeated, and what is repeated then; names."""

    def __post_init__(self) -> None:
        waits = [len(stage.strict) + len(stage.after_any) for stage in self.stages]
        object.__setattr__(self, "waits", tuple(waits))
        names = tuple(stage.name for stage in self.stages)
        object.__setattr__(self, "stage_names", names)
        guards = [(stage.name, stage.guard) for stage in self.stages if stage.guard is not None]
        regions = ((name, tuple(names[index] for index in guard.region)) for name, guard in guards)
        object.__setattr__(self, "guards", tuple(regions))

    def routes_of(self, router: int) -> tuple[str, ...]:
        """The routes that branches of ``router`` are on, as declared."""
        branches = (self.stages[index] for index in self.stages[router].dependents)
        taken = (route for each in branches if each.router == router for route in each.route)
        return tuple(dict.fromkeys(taken))


def make_plan(
    name: str, specs: Sequence[StageSpec], execution: ExecutionConfig = DEFAULT_EXECUTION
) -> tuple[Plan, tuple[StageSpec, ...]]:
    """The plan of ``specs``, and the specs in the plan's order.

    Linear in stages and edges, and in both once more for each guard that has work repeated.

    Raises:
        PolicyError: a policy names a stage that does not exist, or is not upstream; stages that
            share a process do not agree about it.
        PipelineValidationError: no stages (``CONTRACT-004-EMPTY``) or a dependency that does not
            exist (``CONTRACT-004-MISSING_DEP``).
        StageDefinitionError: two stages share a name (``STAGE-DUPLICATE``).
        CycleDetectedError: the dependencies form a circle (``CONTRACT-004-CYCLE``).
    """
    by_name = _by_name(name, specs)
    _check_not_empty(name, by_name)
    _check_dependencies_exist(by_name)
    _check_policies(by_name, execution)
    check_shares(by_name.values())
    waits = {spec.name: _waits_for(spec) for spec in by_name.values()}
    guards = place_guards(by_name, waits)
    order = _topological_order(waits)
    position = {stage_name: index for index, stage_name in enumerate(order)}

    def places(names: Iterable[str]) -> tuple[int, ...]:
        return tuple(position[each] for each in names)

    dependents: list[list[int]] = [[] for _ in order]
    for index, stage_name in enumerate(order):
        for dependency in waits[stage_name]:
            dependents[position[dependency]].append(index)
    ordered = tuple(by_name[stage_name] for stage_name in order)
    stages = tuple(
        _stage_plan(spec, places, tuple(waiting), guards, execution.mode_of(spec.name))
        for spec, waiting in zip(ordered, dependents, strict=True)
    )
    return Plan(name, stages, _finalizers(ordered)), ordered


def _stage_plan(
    spec: StageSpec,
    places: Callable[[Iterable[str]], tuple[int, ...]],
    dependents: tuple[int, ...],
    guards: GuardPlacement,
    mode: ExecutionMode,
) -> StagePlan:
    return StagePlan(
        name=spec.name,
        kind=spec.kind.value,
        dependencies=places(spec.dependencies),
        after=places(spec.after),
        dependents=dependents,
        timeout_s=spec.limits.attempt,
        after_any=places((*spec.after_any, *guards.any_gates.get(spec.name, ()))),
        conditional=spec.conditional,
        route=spec.route,
        router=None if spec.router is None else places([spec.router])[0],
        gates=places(guards.gates.get(spec.name, ())),
        optional=frozenset(places(spec.optional)),
        mode=mode,
        fallback=spec.fallback,
        retry=None if spec.retry is None else spec.retry.schedule,
        effects=spec.effects,
        total_s=spec.limits.total,
        guard=_guard_plan(spec, guards, places),
        is_blocking=is_blocking(spec.runner),
        breaker=None if spec.breaker is None else spec.breaker.settings,
        idempotency=spec.idempotency,
        restart=spec.restart,
        placement=spec.placement,
        replicas=spec.replicas,
        autoscaling=spec.autoscaling,
        concurrency=spec.concurrency,
        is_batching=spec.batching is not None,
        wiring=_wiring(spec),
    )


def _wiring(spec: StageSpec) -> Mapping[str, Sequence[str]]:
    after = (*spec.after, *spec.after_any)
    named = {"dependencies": tuple(spec.dependencies), "after": after}
    return {what: names for what, names in named.items() if names}  # quick to send


def _finalizers(specs: Sequence[StageSpec]) -> tuple[int, ...]:
    return tuple(index for index, spec in enumerate(specs) if spec.after_any)


def _guard_plan(
    spec: StageSpec, guards: GuardPlacement, places: Callable[[Iterable[str]], tuple[int, ...]]
) -> GuardPlan | None:
    policy = spec.guard_retry
    if policy is None:
        return None
    (producer,) = places((policy.retry_stage,))
    region = tuple(sorted(places(guards.regions[spec.name])))
    return GuardPlan(
        producer, region, policy.max_attempts, policy.stagnation_limit, policy.timeout_s
    )


def _check_policies(by_name: dict[str, StageSpec], execution: ExecutionConfig) -> None:
    for stage in execution.error_policy:
        if stage not in by_name:
            near = difflib.get_close_matches(stage, by_name, n=1)
            raise PolicyError(
                f"error_policy names '{stage}', which does not exist.",
                hint=f"Did you mean '{near[0]}'?" if near else "Name a stage of this pipeline.",
                code="POLICY-STAGE",
            )


def _waits_for(spec: StageSpec) -> tuple[str, ...]:
    return (*spec.dependencies, *spec.after, *spec.after_any)


def _by_name(pipeline: str, specs: Sequence[StageSpec]) -> dict[str, StageSpec]:
    by_name: dict[str, StageSpec] = {}
    for spec in specs:
        if spec.name in by_name:
            raise duplicate_stage(pipeline, spec.name)
        by_name[spec.name] = spec
    return by_name


def duplicate_stage(pipeline: str, stage: str) -> StageDefinitionError:
    """The error of a second stage of one name."""
    return StageDefinitionError(
        f"Pipeline '{pipeline}' has a stage '{stage}' already.",
        hint="Give the second one another name.",
        code="STAGE-DUPLICATE",
    )


def _check_not_empty(name: str, by_name: dict[str, StageSpec]) -> None:
    if by_name:
        return
    raise PipelineValidationError(
        f"Pipeline '{name}' has no stages.",
        stages=[],
        info=ContractErrorInfo(
            code="CONTRACT-004-EMPTY",
            summary="The pipeline has no stages",
            fix_hint="Add at least one with with_stage().",
        ),
    )


def _check_dependencies_exist(by_name: dict[str, StageSpec]) -> None:
    for spec in by_name.values():
        for dependency in _waits_for(spec):
            if dependency not in by_name:
                raise _missing_dependency(spec.name, dependency, list(by_name))


def _missing_dependency(stage: str, dependency: str, known: list[str]) -> PipelineValidationError:
    near = difflib.get_close_matches(dependency, known, n=1)
    hint = (
        f"Did you mean '{near[0]}'?" if near else "Add that stage, or remove it from dependencies=."
    )
    return PipelineValidationError(
        f"Stage '{stage}' depends on '{dependency}', which does not exist.",
        stages=[stage, dependency],
        info=ContractErrorInfo(
            code="CONTRACT-004-MISSING_DEP",
            summary="A dependency does not exist",
            fix_hint=hint,
            context={"stage": stage, "dependency": dependency},
        ),
    )


def _topological_order(waits: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Whenever several stages could come next, the one declared first does."""
    sorter = TopologicalSorter(waits)
    declared = {name: index for index, name in enumerate(waits)}
    names = list(waits)
    try:
        sorter.prepare()
    except CycleError as error:
        raise CycleDetectedError(_readable_cycle(error.args[1], declared)) from None
    order: list[str] = []
    ready: list[int] = []
    while sorter.is_active():
        for name in sorter.get_ready():
            heappush(ready, declared[name])
        order.append(names[heappop(ready)])
        sorter.done(order[-1])
    return tuple(order)


def _readable_cycle(closed_path: list[str], declared: dict[str, int]) -> list[str]:
    """The circle in the direction of ``dependencies=``, from its first declared stage."""
    circle = closed_path[:-1][::-1]
    start = min(range(len(circle)), key=lambda index: declared[circle[index]])
    return [*circle[start:], *circle[:start], circle[start]]
