"""``LocalRuntime``: the same pipelines in this process, on the caller's event loop, without Ray."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from stageflow_actors.actors.deployment import Deployment
from stageflow_actors.actors.event_pump import PumpSource
from stageflow_actors.actors.failures import Failure, failure_of, late_error, setup_error
from stageflow_actors.actors.handle import RunHandle
from stageflow_actors.actors.messages import RunReport
from stageflow_actors.actors.run import CLOSED, Run
from stageflow_actors.actors.runtime import Runtime
from stageflow_actors.actors.sealing import SealedOutput, seal_view
from stageflow_actors.actors.stage_host import Execution, StageHost
from stageflow_actors.actors.wiring import WiredStage, wire
from stageflow_actors.model.cancellation import Cancellation
from stageflow_actors.model.events import Event
from stageflow_actors.model.pipeline_context import PipelineContext
from stageflow_actors.model.results import PipelineResults
from stageflow_actors.model.settings import Settings
from stageflow_actors.ports import Deployable

logger = logging.getLogger("stageflow_actors")


class LocalRuntime(Runtime):
    """Runs pipelines in this process. Behaves as ``RayRuntime`` does; isolates data, not crashes.

    A plain ``def`` stage that blocks cannot be interrupted here: the verdict waits for it.
    """

    def deploy(self, pipeline: Deployable) -> Deployment:
        return LocalDeployment(pipeline, self.settings, self._pump)

    async def run_once(self, pipeline: Deployable, context: PipelineContext) -> PipelineResults:
        """Deploy, run and close again: nothing outlives the call or its event loop."""
        async with self.deploy(pipeline) as app:
            return await app.run(context)


class LocalDeployment(Deployment):
    """One ``StageHost`` per stage, all on the event loop that opened it."""

    def __init__(self, pipeline: Deployable, settings: Settings, pump: PumpSource) -> None:
        super().__init__(pipeline)
        self._stages = wire(pipeline.plan, pipeline.specs)
        self._settings = settings
        self._pump = pump
        self._hosts: list[StageHost] = []

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

    def _launch(self, context: PipelineContext) -> RunHandle:
        bodies = _LocalBodies(self._hosts, context)
        run = Run(self.plan, bodies, self._settings.max_events_per_run)
        run.begin(cancelled=context.cancellation.reason)
        return _LocalRunHandle(run, self.name, context, self._pump, self._settings)


class _LocalRunHandle(RunHandle):
    def __init__(
        self,
        run: Run,
        pipeline: str,
        context: PipelineContext,
        pump: PumpSource,
        settings: Settings,
    ) -> None:
        self._run = run
        super().__init__(pipeline, context, pump, settings)

    async def _fetch_report(self) -> RunReport:
        return await self._run.ended

    async def _fetch_events(self, after: int) -> tuple[Sequence[Event], bool]:
        return await self._run.log.wait(after)

    def _send_cancel(self, reason: str) -> None:
        self._run.cancel(reason)


class _LocalBodies:
    """The bodies of one run: one task each."""

    __slots__ = ("_hosts", "_live", "_loop", "_timer", "_view")

    def __init__(self, hosts: Sequence[StageHost], context: PipelineContext) -> None:
        self._hosts = hosts
        self._loop = asyncio.get_running_loop()
        self._view = seal_view(context.view)
        self._timer = context.timer
        self._live: dict[int, tuple[Cancellation, asyncio.Task[None]]] = {}

    def start(self, run: Run, stage: int, attempt: int, inputs: Mapping[str, SealedOutput]) -> None:
        cancellation = Cancellation()
        task = self._loop.create_task(self._execute(cancellation, run, stage, attempt, inputs))
        self._live[stage] = cancellation, task  # the loop itself holds tasks only weakly

    def interrupt(self, stage: int, attempt: int, reason: str) -> None:
        self._live[stage][0].request(reason)

    async def _execute(
        self,
        cancellation: Cancellation,
        run: Run,
        stage: int,
        attempt: int,
        inputs: Mapping[str, SealedOutput],
    ) -> None:
        execution = Execution(self._view, self._timer, attempt, inputs, cancellation)
        receipt = await self._hosts[stage].execute(execution)
        del self._live[stage]
        run.stage_ended(stage, attempt, receipt)
