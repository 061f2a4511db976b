"""Child runs in this process: their groups are deployments of the same runtime."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from stageflow_actors.actors.children import Children
from stageflow_actors.actors.codec import Payload
from stageflow_actors.actors.doors import Door
from stageflow_actors.actors.family import Child, ChildFacts
from stageflow_actors.actors.messages import Execution, StageKey
from stageflow_actors.actors.reports import result_of, result_without_report, unstarted_report
from stageflow_actors.actors.sealing import seal_view
from stageflow_actors.errors import RuntimeFault
from stageflow_actors.model.pipeline_context import PipelineContext
from stageflow_actors.model.results import RunResult
from stageflow_actors.model.run_view import RunView
from stageflow_actors.model.settings import Settings

if TYPE_CHECKING:
    from stageflow_actors.actors.local import LocalDeployment


class LocalRequest(NamedTuple):
    """One child run that has passed its door; what it reads is as it was when it was asked for."""

    context: PipelineContext
    view: RunView | Payload
    keys: Mapping[int, StageKey]
    door: Door


class LocalChildren(Children["LocalDeployment", LocalRequest, RunResult]):
    """``create`` makes a new deployment of a registered pipeline."""

    def __init__(self, create: Callable[[str], LocalDeployment], settings: Settings) -> None:
        super().__init__(settings)
        self._make = create
        self._telling: set[asyncio.Task[bool]] = set()

    async def submit(
        self,
        parent: Execution,
        facts: ChildFacts,
        context: PipelineContext,
        keys: Mapping[int, StageKey],
        door: Door,
    ) -> RunResult:
        request = LocalRequest(context, seal_view(context.view), keys, door)
        return await self.bring_up(parent, facts, facts.pipeline, request)

    def cancel(self, parent: Execution, child_run_id: str, reason: str) -> None:
        self.family.cancel_one(parent, child_run_id, reason)

    def _create(self, name: str) -> LocalDeployment:
        return self._make(name)

    async def _run(
        self, group: LocalDeployment, child: Child, request: LocalRequest, waited_s: float
    ) -> RunResult:
        context = request.context.after_waiting(waited_s)
        handle = group.launch_sealed(context, request.view, request.keys)

        def tell(reason: str) -> None:
            telling = asyncio.ensure_future(handle.cancel(reason))
            self._telling.add(telling)  # the loop itself holds tasks only weakly
            telling.add_done_callback(self._telling.discard)

        child.tell = tell
        return await handle.result()

    def _never_begun(self, request: LocalRequest, reason: str) -> RunResult:
        plan = request.door.plan
        return result_of(unstarted_report(plan, reason), plan.name, request.context.snapshot)

    def _lost(self, request: LocalRequest, fault: RuntimeFault) -> RunResult:
        now = time.time()
        snapshot = request.context.snapshot
        return result_without_report(fault, request.door.plan.name, snapshot, now, now)
