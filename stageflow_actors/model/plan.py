"""``Plan``: the validated shape of a pipeline as plain data, without any user code.

This is all that deciding what happens next needs to know, and all that a supervisor sees.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush

from stageflow_actors.errors import (
    ContractErrorInfo,
    CycleDetectedError,
    PipelineValidationError,
    StageDefinitionError,
)
from stageflow_actors.model.stage import StageSpec


@dataclass(frozen=True, slots=True)
class StagePlan:
    """One stage of a plan; the other stages it names are indices into ``Plan.stages``.

    ``dependencies`` hand it their data, ``after`` only come before it, ``after_any`` too, however
    they end; ``dependents`` wait for it, for any of these reasons. With ``route`` it runs only
    where ``router`` has taken one of them.
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


@dataclass(frozen=True, slots=True)
class Plan:
    """A pipeline's stages in topological order, ties in the order of their declaration.

    ``finalizers`` are those that run after a failure, too: the ones with ``after_any``.
    """

    name: str
    stages: tuple[StagePlan, ...]
    finalizers: tuple[int, ...] = ()

    @property
    def stage_names(self) -> tuple[str, ...]:
        """Names in topological order."""
        return tuple(stage.name for stage in self.stages)

    def routes_of(self, router: int) -> tuple[str, ...]:
        """The routes that branches of ``router`` are on, as declared."""
        branches = (self.stages[index] for index in self.stages[router].dependents)
        taken = (route for each in branches if each.router == router for route in each.route)
        return tuple(dict.fromkeys(taken))


def make_plan(name: str, specs: Sequence[StageSpec]) -> tuple[Plan, tuple[StageSpec, ...]]:
    """The plan of ``specs``, and the specs in the plan's order. Linear in stages and edges.

    Raises:
        PipelineValidationError: no stages (``CONTRACT-004-EMPTY``) or a dependency that does not
            exist (``CONTRACT-004-MISSING_DEP``).
        StageDefinitionError: two stages share a name (``STAGE-DUPLICATE``).
        CycleDetectedError: the dependencies form a circle (``CONTRACT-004-CYCLE``).
    """
    by_name = _by_name(name, specs)
    _check_not_empty(name, by_name)
    _check_dependencies_exist(by_name)
    order = _topological_order(by_name)
    position = {stage_name: index for index, stage_name in enumerate(order)}
    dependents: list[list[int]] = [[] for _ in order]
    for index, stage_name in enumerate(order):
        for dependency in _waits_for(by_name[stage_name]):
            dependents[position[dependency]].append(index)
    ordered = tuple(by_name[stage_name] for stage_name in order)
    stages = tuple(
        StagePlan(
            name=spec.name,
            kind=spec.kind.value,
            dependencies=tuple(position[dependency] for dependency in spec.dependencies),
            after=tuple(position[dependency] for dependency in spec.after),
            dependents=tuple(dependents[index]),
            timeout_s=spec.timeout,
            after_any=tuple(position[dependency] for dependency in spec.after_any),
            conditional=spec.conditional,
            route=spec.route,
            router=None if spec.router is None else position[spec.router],
        )
        for index, spec in enumerate(ordered)
    )
    finalizers = tuple(index for index, stage in enumerate(stages) if stage.after_any)
    return Plan(name, stages, finalizers), ordered


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


def _topological_order(by_name: dict[str, StageSpec]) -> tuple[str, ...]:
    """Whenever several stages could come next, the one declared first does."""
    sorter = TopologicalSorter({name: _waits_for(spec) for name, spec in by_name.items()})
    declared = {name: index for index, name in enumerate(by_name)}
    names = list(by_name)
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
