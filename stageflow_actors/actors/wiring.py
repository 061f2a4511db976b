"""``WiredStage``: a stage with what its place in the pipeline asks of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from stageflow_actors.contracts.schemas import edge_contracts
from stageflow_actors.model.checking.checks import Contract
from stageflow_actors.model.plan import Plan
from stageflow_actors.model.stage import StageSpec


class WiredStage(NamedTuple):
    """The spec, the routes to decide on, if any, and the contracts of an ok output."""

    spec: StageSpec
    routes: tuple[str, ...] = ()
    contracts: tuple[Contract, ...] = ()


def wire(plan: Plan, specs: Sequence[StageSpec]) -> tuple[WiredStage, ...]:
    """Every stage in its place; ``specs`` in the order of the plan."""
    contracts = edge_contracts(specs)
    return tuple(
        WiredStage(spec, plan.routes_of(index), contracts[spec.name])
        for index, spec in enumerate(specs)
    )
