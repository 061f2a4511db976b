"""``Door``: what every run of a pipeline has to pass before it is submitted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from stageflow_actors.actors.messages import StageKey
from stageflow_actors.actors.stage_keys import stage_keys
from stageflow_actors.contracts.schemas import input_contracts
from stageflow_actors.model.checking.checks import Contract
from stageflow_actors.model.pipeline_context import PipelineContext
from stageflow_actors.model.plan import Plan
from stageflow_actors.model.policies.execution import OnStageError
from stageflow_actors.ports import Deployable
from stageflow_actors.security.admission import Admission

Tell = Callable[[PipelineContext, str, Mapping[str, Any]], object]
"""Takes what a check has to tell: whose run it is by then, the type of an event, and its data."""


class Door(NamedTuple):
    """The checks of one pipeline, wherever its runs are started. It pickles with the user's code.

    ``on_stage_error`` hears of the failures of a run where it was started.
    """

    plan: Plan
    admissions: tuple[Admission, ...]
    input_contracts: tuple[Contract, ...]
    on_stage_error: OnStageError | None

    async def enter(
        self, context: PipelineContext, tell: Tell
    ) -> tuple[PipelineContext, dict[int, StageKey]]:
        """The run as it may be submitted, and the keys of its idempotent stages.

        Raises:
            StageContractError: the input breaks the ``input_model`` of a first stage.
            AuthenticationError, TenantAccessDeniedError: the run may not be started.
            InvalidRunInputError: a key is no text, or its parameters are no JSON.
        """
        if context.snapshot.topology is None:
            named = context.snapshot.model_copy(update={"topology": self.plan.name})
            context = context.with_snapshot(named)
        for admission in self.admissions:
            context = await _ask(admission, context, tell)
        for contract in self.input_contracts:
            contract.check(context.input_data())
        return context, stage_keys(self.plan, context)


def door_of(pipeline: Deployable) -> Door:
    """The door of a pipeline; its checks in the order of their priority."""
    return Door(
        pipeline.plan,
        tuple(sorted(pipeline.admissions, key=lambda each: each.priority)),
        tuple(input_contracts(pipeline.specs).values()),
        pipeline.execution.on_stage_error,
    )


async def _ask(admission: Admission, context: PipelineContext, tell: Tell) -> PipelineContext:
    """What one check told is told of the run as it leaves that check."""
    told: list[tuple[str, Mapping[str, Any]]] = []
    try:
        context = await admission.admit(context, lambda type_, data: told.append((type_, data)))
    finally:
        for type_, data in told:
            tell(context, type_, data)
    return context
