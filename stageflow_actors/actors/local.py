"""``LocalRuntime``: the same pipelines in this process, on the caller's event loop, without Ray."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from stageflow_actors.actors.bodies import Ends
from stageflow_actors.actors.deployment import Deployment
from stageflow_actors.actors.event_pump import PumpSource
from stageflow_actors.actors.failures import (
    Failure,
    abandoned_error,
    failure_of,
    late_error,
    setup_error,
)
from stageflow_actors.actors.gates import GatedBodies, Gates
from stageflow_actors.actors.handle import RunHandle
from stageflow_actors.actors.idempotency import IdempotencyDesk
from stageflow_actors.actors.messages import Assignment, Receipt, RunReport, StageKey
from stageflow_actors.actors.run import CLOSED, Run
from stageflow_actors.actors.runtime import Runtime
from stageflow_actors.actors.sealing import seal_view
from stageflow_actors.actors.stage_host import StageHost
from stageflow_actors.actors.start_hooks import HookDesk, Questions
from stageflow_actors.actors.wiring import WiredStage, wire
from stageflow_actors.engine.facts import Ending
from stageflow_actors.model.cancellation import Cancellation
from stageflow_actors.model.events import Event
from stageflow_actors.model.pipeline_context import PipelineContext
from stageflow_actors.model.settings import Settings
from stageflow_actors.ports import Deployable, IdempotencyStore

logger = logging.getLogger("stageflow_actors")


class LocalRuntime(Runtime):
    """Runs pipelines in this process. Behaves as ``RayRuntime`` does; isolates data, not crashes.

    A plain ``def`` stage that blocks cannot be ended here. One that does not heed its stop within
    ``Settings.grace_s`` is abandoned: the result says so, and its context refuses all it does.
    """

    def deploy(self, pipeline: Deployable) -> Deployment:
        return LocalDeployment(pipeline, self.settings, self._pump, self._store.get())

    async def _close_kept(self) -> None:
        await self._store.close()

    def _lend(self, pipeline: Deployable) -> Deployment:
        """One of its own: nothing outlives the run or its event loop."""
        return self.deploy(pipeline)


class LocalDeployment(Deployment):
    """One ``StageHost`` per stage, all on the event loop that opened it."""

    def __init__(
        self,
        pipeline: Deployable,
        settings: Settings,
        pump: PumpSource,
        store: IdempotencyStore,
    ) -> None:
        super().__init__(pipeline, pump)
        self._stages = wire(pipeline)
        desk = IdempotencyDesk(store, settings.idempotency_lease_s)
        self._gates = Gates(pipeline.plan, desk, failure_of)
        self._settings = settings
        self._hosts: list[StageHost] = []
        self._abandoned: set[asyncio.Task[None]] = set()

    async def _describe(self) -> dict[str, Any]:
        pid = os.getpid()
        return {
            "runtime": "local",
            "supervisor_pid": pid,
            "live_runs": len(self._live),
            "stages": [
                {"name": stage.name, "kind": stage.kind, "pid": pid} for stage in self.plan.stages
            ],
            "calls_to_supervisor": 0,
            "calls_to_stages": 0,
            **self._gates.describe(),
        }

    async def _open(self) -> None:
        self._hosts = []
        prepared = await asyncio.gather(*(self._prepare(stage) for stage in self._stages))
        for stage, outcome in zip(self._stages, prepared, strict=True):
            if isinstance(outcome, Failure):
                raise setup_error(self.name, stage.spec.name, outcome)
        self._hosts = [host for host in prepared if isinstance(host, StageHost)]

    async def _prepare(self, stage: WiredStage) -> StageHost | Failure:
        try:
            async with asyncio.timeout(self._settings.deploy_timeout_s):
                outcome = await StageHost.prepare(stage, self._settings)
        except TimeoutError:
            return failure_of(late_error(stage.spec.name, self._settings.deploy_timeout_s))
        if isinstance(outcome, StageHost):
            self._hosts.append(outcome)  # known at once, in case the opening is given up
        return outcome

    async def _close(self) -> None:
        for handle in tuple(self._live):
            await handle.cancel(CLOSED)
        await self._within_limit("runs", [handle.result() for handle in self._live])
        await self._within_limit("teardowns", [host.teardown() for host in self._hosts])

    async def _within_limit(self, what: str, work: Sequence[Coroutine[Any, Any, Any]]) -> None:
        tasks = [asyncio.ensure_future(each) for each in work]
        if not tasks:
            return
        _done, late = await asyncio.wait(tasks, timeout=self._settings.stop_timeout_s)
        for task in late:
            task.cancel()
        if late:
            logger.warning(
                "%d %s of pipeline '%s' did not end in time.", len(late), what, self.name
            )

    def _launch(self, context: PipelineContext, keys: Mapping[int, StageKey]) -> RunHandle:
        desk = HookDesk() if context.start_hooks else None
        bodies = GatedBodies(
            _LocalBodies(self._hosts, context, self._abandoned), self._gates, keys, desk
        )
        run = Run(self.plan, bodies, self._settings)
        run.ended.add_done_callback(lambda _ended: bodies.close())
        run.begin(context.cancellation.reason, context.limit_s)
        return _LocalRunHandle(run, self, context, self._settings, desk)


class _LocalRunHandle(RunHandle):
    def __init__(
        self,
        run: Run,
        deployment: Deployment,
        context: PipelineContext,
        settings: Settings,
        desk: HookDesk | None,
    ) -> None:
        self._run = run
        self._desk = desk
        super().__init__(deployment.plan, context, deployment.pump, settings, deployment.execution)

    async def _fetch_report(self) -> RunReport:
        return await self._run.ended

    async def _fetch_events(self, after: int) -> tuple[Sequence[Event], bool]:
        return await self._run.log.wait(after)

    async def _fetch_questions(self) -> Questions:
        assert self._desk is not None, "a run without hooks asks nothing"
        return await self._desk.questions()

    def _send_answer(self, number: int, receipt: Receipt | None) -> None:
        assert self._desk is not None, "a run without hooks asks nothing"
        self._desk.answer(number, receipt)

    async def _fetch_failure(self, stage: str) -> Failure | None:
        return self._run.failure_of(stage)

    def _send_cancel(self, reason: str) -> None:
        self._run.cancel(reason)


class _LocalBodies:
    """The bodies of one run: one task each."""

    __slots__ = ("_abandoned", "_hosts", "_live", "_loop", "_timer", "_view")

    def __init__(
        self,
        hosts: Sequence[StageHost],
        context: PipelineContext,
        abandoned: set[asyncio.Task[None]],
    ) -> None:
        self._hosts = hosts
        self._loop = asyncio.get_running_loop()
        self._view = seal_view(context.view)
        self._timer = context.timer
        self._live: dict[int, tuple[Cancellation, asyncio.Task[None]]] = {}
        self._abandoned = abandoned

    def start(self, ends: Ends, stage: int, assignment: Assignment) -> bool:
        cancellation = Cancellation()
        task = self._loop.create_task(self._execute(cancellation, ends, stage, assignment))
        self._live[stage] = cancellation, task  # the loop itself holds tasks only weakly
        return True

    def interrupt(self, ends: Ends, stage: int, attempt: int, reason: str) -> None:
        self._live[stage][0].request(reason)
        if not self._hosts[stage].is_blocking:
            ends.stop_heard(stage, attempt)

    def skipped(self, ends: Ends, stage: int) -> None:
        pass

    def decided(self, ends: Ends) -> None:
        pass

    def kill(self, ends: Ends, stage: int, attempt: int) -> None:
        """Nothing can end it here. Whatever it still does, nobody hears of it."""
        cancellation, task = self._live.pop(stage)
        cancellation.abandon()
        self._hosts[stage].give_up()
        self._abandoned.add(task)
        task.add_done_callback(self._abandoned.discard)
        error = abandoned_error(self._hosts[stage].name, cancellation.reason)
        now = time.time()
        lost = Receipt.failed(failure_of(error), now, now, ending=Ending.LOST)
        self._loop.call_soon(ends.stage_ended, stage, attempt, lost._replace(is_stuck=True))

    async def _execute(
        self, cancellation: Cancellation, ends: Ends, stage: int, assignment: Assignment
    ) -> None:
        host = self._hosts[stage]
        began = time.time()
        try:
            receipt = await host.execute(self._view, self._timer, assignment, cancellation)
        except BaseException as error:  # a defect, or the end of the event loop: never a hang
            receipt = Receipt.failed(failure_of(error), began, time.time())
        live = self._live.get(stage)
        if live is None or live[0] is not cancellation:
            return  # given up; by now the stage may be executed once more
        del self._live[stage]
        ends.stage_ended(stage, assignment.attempt, receipt)
