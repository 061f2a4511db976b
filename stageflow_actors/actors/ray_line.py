"""``RayLine``: from a stage's process to its supervisor, which runs the children."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from stageflow_actors.actors.asking import ask
from stageflow_actors.actors.cleaning import limited
from stageflow_actors.actors.codec import Payload, decode
from stageflow_actors.actors.doors import Door
from stageflow_actors.actors.failures import open_exception, unreadable
from stageflow_actors.actors.family import ChildFacts, Execution
from stageflow_actors.actors.messages import RunRequest, StageKey, pack, unpack
from stageflow_actors.actors.ray_children import ChildReply, ChildRequest
from stageflow_actors.actors.reports import result_of
from stageflow_actors.actors.sealing import seal_view, view_to_payload
from stageflow_actors.errors import RuntimeFault, describe_exception
from stageflow_actors.model.events import run_labels
from stageflow_actors.model.pipeline_context import PipelineContext
from stageflow_actors.model.policies.execution import OnStageError
from stageflow_actors.model.results import RunResult
from stageflow_actors.model.settings import Settings

logger = logging.getLogger("stageflow_actors")


class Parent(NamedTuple):
    """What a stage's process needs to have children: its supervisor, and all doors as bytes."""

    supervisor: Any
    doors: Mapping[str, Payload]


class RayLine:
    """For all executions of one stage's process."""

    def __init__(self, parent: Parent, settings: Settings) -> None:
        self._supervisor = parent.supervisor
        self._packed = parent.doors
        self._doors: dict[str, Door] = {}
        self._settings = settings
        self._telling: set[asyncio.Task[Any]] = set()

    def find_door(self, name: str) -> Door:
        """The door of a registered pipeline, opened when it is first needed.

        Raises:
            StageOutputError: its classes cannot be imported here.
        """
        if name not in self._doors:
            try:
                self._doors[name] = decode(self._packed[name])
            except Exception as error:
                raise unreadable(f"What pipeline '{name}' checks", error) from error
        return self._doors[name]

    async def submit(
        self,
        parent: Execution,
        facts: ChildFacts,
        context: PipelineContext,
        keys: Mapping[int, StageKey],
        door: Door,
    ) -> RunResult:
        run = RunRequest(
            run=facts.child_run_id,
            view=view_to_payload(seal_view(context.view)),
            started_ms=context.timer.pipeline_start_ms,
            cancelled=None,
            limit_s=context.limit_s,
            keys=keys,
            has_hooks=False,
        )
        labels = run_labels(context.snapshot, context.ancestry)
        packed = pack(ChildRequest(parent, facts, labels, run))
        reply = await self._ask(lambda: self._supervisor.spawn.remote(packed))
        result = _opened(unpack(reply), door, context)
        if door.on_stage_error is not None:
            await self._tell(door.on_stage_error, result)
        return result

    def cancel(self, parent: Execution, child_run_id: str, reason: str) -> None:
        async def tell() -> None:
            with contextlib.suppress(RuntimeFault):  # then the child has no parent any more either
                await self._ask(
                    lambda: self._supervisor.cancel_child.remote(parent, child_run_id, reason)
                )

        telling = asyncio.ensure_future(tell())
        self._telling.add(telling)  # the loop itself holds tasks only weakly
        telling.add_done_callback(self._telling.discard)

    async def _ask(self, call: Callable[[], Any]) -> Any:
        try:
            return await ask(call, self._settings.max_unanswered_calls)
        except Exception as error:
            raise RuntimeFault(
                f"The supervisor did not answer: {type(error).__name__}: "
                f"{describe_exception(error)}.",
                code="RUN-LOST",
            ) from error

    async def _tell(self, on_stage_error: OnStageError, result: RunResult) -> None:
        for stage, failure in result.failures.items():
            call = partial(on_stage_error, stage, failure.original)
            raised = await limited(call, self._settings.cleanup_timeout_s)
            if raised is not None:
                logger.error("on_stage_error raised for stage '%s'.", stage, exc_info=raised)


def _opened(reply: ChildReply, door: Door, context: PipelineContext) -> RunResult:
    """The result of the child, opened in the process of the stage that has asked for it."""
    if reply.report is not None:
        return result_of(reply.report, door.plan.name, context.snapshot)
    assert reply.failure is not None, "a reply without a report says why"
    error = open_exception(reply.failure)
    if reply.is_refused or isinstance(error, RuntimeFault):
        raise error
    raise RuntimeFault(reply.reason or "", code="RUN-LOST") from error
