"""``WiredStage``: a stage with what its place in the pipeline asks of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stageflow_actors.model.stage import StageSpec

if TYPE_CHECKING:
    from stageflow_actors.interceptors.protocol import BaseInterceptor
    from stageflow_actors.model.checking.checks import Contract
    from stageflow_actors.ports import Deployable


class WiredStage(NamedTuple):
    """The spec, the routes to decide on, if any, the contracts of an ok output, and what is called
    around each execution.
    """

    spec: StageSpec
    routes: tuple[str, ...] = ()
    contracts: tuple[Contract, ...] = ()
    interceptors: tuple[BaseInterceptor, ...] = ()


def wire(pipeline: Deployable) -> tuple[WiredStage, ...]:
    """Every stage in its place, in the order of the plan."""
    from stageflow_actors.contracts.schemas import edge_contracts  # only who deploys needs it

    contracts = edge_contracts(pipeline.specs)
    return tuple(
        WiredStage(
            spec, pipeline.plan.routes_of(index), contracts[spec.name], pipeline.interceptors
        )
        for index, spec in enumerate(pipeline.specs)
    )
