"""``LocalRuntime``: the same pipelines in this process, on the caller's event loop, without Ray."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import time
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from stageflow_actors.actors.bodies import Bodies, Ends
from stageflow_actors.actors.codec import Payload
from stageflow_actors.actors.deployment import Deployment
from stageflow_actors.actors.doors import door_of
from stageflow_actors.actors.event_pump import PumpSource
from stageflow_actors.actors.failures import (
    Failure,
    abandoned_error,
    failure_of,
    setup_error,
)
from stageflow_actors.actors.gates import GatedBodies, Gates
from stageflow_actors.actors.handle import RunHandle
from stageflow_actors.actors.idempotency import IdempotencyDesk
from stageflow_actors.actors.local_children import LocalChildren
from stageflow_actors.actors.local_stages import LocalStages
from stageflow_actors.actors.messages import Assignment, Receipt, RunReport, StageKey
from stageflow_actors.actors.nursery import Nursery
from stageflow_actors.actors.parental_bodies import ParentalBodies
from stageflow_actors.actors.run import CLOSED, Run
from stageflow_actors.actors.runtime import Runtime
from stageflow_actors.actors.sealing import seal_view
from stageflow_actors.actors.stage_host import StageHost
from stageflow_actors.actors.start_hooks import HookDesk, Questions
from stageflow_actors.actors.wiring import wire
from stageflow_actors.engine.facts import Ending
from stageflow_actors.model.cancellation import Cancellation
from stageflow_actors.model.events import Event
from stageflow_actors.model.pipeline_context import PipelineContext
from stageflow_actors.model.run_view import RunView
from stageflow_actors.model.settings import Settings
from stageflow_actors.model.timer import PipelineTimer
from stageflow_actors.ports import Deployable, IdempotencyStore

logger = logging.getLogger("stageflow_actors")


class LocalRuntime(Runtime):
    """Runs pipelines in this process. Behaves as ``RayRuntime`` does; isolates data, not crashes.

    A plain ``def`` stage that blocks cannot be ended here. One that does not heed its stop within
    ``Settings.grace_s`` is abandoned: the result says so, and its context refuses all it does.
    """

    def deploy(self, pipeline: Deployable) -> Deployment:
        return LocalDeployment(
            pipeline, self.settings, self._pump, self._store.get(), dict(self.registry.items())
        )

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
        registered: Mapping[str, Deployable],
    ) -> None:
        super().__init__(pipeline, pump)
        self._registered = registered
        self._store = store
        self._children: LocalChildren | None = None
        self._nursery: Nursery | None = None
        self._numbers = itertools.count(1)
        self._stages = LocalStages(pipeline.plan, wire(pipeline), settings)
        desk = IdempotencyDesk(store, settings.idempotency_lease_s)
        self._gates = Gates(pipeline.plan, desk, failure_of)
        self._settings = settings
        self._abandoned: set[asyncio.Task[None]] = set()

    async def _describe(self) -> dict[str, Any]:
        pid = os.getpid()
        family: dict[str, Any] = {}
        if self._children is not None:
            family["children"] = await self._children.groups.describe()
            family["child_runs"] = self._children.family.tracker.metrics.to_dict()
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
            **family,
        }

    async def _open(self) -> None:
        if self._registered:
            self._children = children = LocalChildren(self._child, self._settings)
            doors = {name: door_of(each) for name, each in self._registered.items()}
            self._nursery = Nursery(doors, doors.__getitem__, children, self._settings)
        for stage, failure in (await self._stages.open()).items():
            raise setup_error(self.name, stage, failure)

    async def _close(self) -> None:
        for handle in tuple(self._live):
            await handle.cancel(CLOSED)
        await self._within_limit("runs", [handle.result() for handle in self._live])
        if self._children is not None:
            await self._children.close()
        self._warn_of(await self._stages.close(), "teardowns")

    async def _within_limit(self, what: str, work: Sequence[Coroutine[Any, Any, Any]]) -> None:
        tasks = [asyncio.ensure_future(each) for each in work]
        if not tasks:
            return
        _done, late = await asyncio.wait(tasks, timeout=self._settings.stop_timeout_s)
        for task in late:
            task.cancel()
        self._warn_of(len(late), what)

    def _warn_of(self, late: int, what: str) -> None:
        if late:
            logger.warning("%d %s of pipeline '%s' did not end in time.", late, what, self.name)

    def _child(self, name: str) -> LocalDeployment:
        return LocalDeployment(
            self._registered[name], self._settings, self.pump, self._store, self._registered
        )

    def _launch(self, context: PipelineContext, keys: Mapping[int, StageKey]) -> RunHandle:
        return self._launch_sealed(context, seal_view(context.view), keys)

    def launch_sealed(
        self, context: PipelineContext, view: RunView | Payload, keys: Mapping[int, StageKey]
    ) -> RunHandle:
        """For the runtime: start a child run, whose view was sealed when it was asked for."""
        return self._hold(self._launch_sealed(context, view, keys))

    def _launch_sealed(
        self, context: PipelineContext, view: RunView | Payload, keys: Mapping[int, StageKey]
    ) -> RunHandle:
        desk = HookDesk() if context.start_hooks else None
        name = str(next(self._numbers))
        local: Bodies[Ends] = _LocalBodies(
            self._stages, view, context.timer, self._abandoned, name, self._nursery
        )
        parental = None
        if self._children is not None:
            local = parental = ParentalBodies(local, self._children.family, name)
        bodies = GatedBodies(local, self._gates, keys, desk)
        run = Run(self.plan, bodies, self._settings)
        if parental is not None:
            parental.open(run.log)
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

    async def _fetch_questions(self, after: int) -> Questions:
        assert self._desk is not None, "a run without hooks asks nothing"
        return await self._desk.questions(after)

    def _send_answer(self, number: int, receipt: Receipt | None) -> None:
        assert self._desk is not None, "a run without hooks asks nothing"
        self._desk.answer(number, receipt)

    async def _fetch_failure(self, stage: str) -> Failure | None:
        return self._run.failure_of(stage)

    def _send_cancel(self, reason: str) -> None:
        self._run.cancel(reason)


class _LocalBodies:
    """The bodies of one run: one task each."""

    __slots__ = ("_abandoned", "_live", "_loop", "_nursery", "_run", "_stages", "_timer", "_view")

    def __init__(
        self,
        stages: LocalStages,
        view: RunView | Payload,
        timer: PipelineTimer,
        abandoned: set[asyncio.Task[None]],
        run: str,
        nursery: Nursery | None,
    ) -> None:
        self._stages = stages
        self._loop = asyncio.get_running_loop()
        self._view = view
        self._timer = timer
        self._live: dict[int, tuple[Cancellation, asyncio.Task[None], StageHost]] = {}
        self._abandoned = abandoned
        self._run = run
        self._nursery = nursery

    def start(self, ends: Ends, stage: int, assignment: Assignment) -> bool:
        host = self._stages.hosts[stage]
        if host is None:
            down = self._stages.down(stage)
            # Never from within the call that starts the stage: its run is in the middle of a tick.
            self._loop.call_soon(ends.stage_ended, stage, assignment.attempt, down)
            return True
        cancellation = Cancellation()
        host.live += 1
        task = self._loop.create_task(self._execute(cancellation, ends, stage, host, assignment))
        self._live[stage] = cancellation, task, host  # the loop itself holds tasks only weakly
        return True

    def interrupt(self, ends: Ends, stage: int, attempt: int, reason: str) -> None:
        live = self._live.get(stage)
        if live is None:
            return  # its end is on its way to where this comes from
        cancellation, _task, host = live
        cancellation.request(reason)
        if not host.is_blocking:
            ends.stop_heard(stage, attempt)

    def skipped(self, ends: Ends, stage: int) -> None:
        pass

    def decided(self, ends: Ends) -> None:
        pass

    def kill(self, ends: Ends, stage: int, attempt: int) -> None:
        """Nothing can end it here. Whatever it still does, nobody hears of it."""
        cancellation, task, host = self._live.pop(stage)
        cancellation.abandon()
        host.give_up()
        self._abandoned.add(task)
        task.add_done_callback(self._abandoned.discard)
        error = abandoned_error(host.name, cancellation.reason)
        now = time.time()
        lost = Receipt.failed(failure_of(error), now, now, ending=Ending.LOST)
        self._loop.call_soon(ends.stage_ended, stage, attempt, lost._replace(is_stuck=True))

    async def _execute(
        self,
        cancellation: Cancellation,
        ends: Ends,
        stage: int,
        host: StageHost,
        assignment: Assignment,
    ) -> None:
        began = time.time()
        spawner = None
        if self._nursery is not None:
            spawner = self._nursery.spawner((self._run, stage, assignment.attempt))
        try:
            receipt = await host.execute(self._view, self._timer, assignment, cancellation, spawner)
        except BaseException as error:  # a defect, or the end of the event loop: never a hang
            receipt = Receipt.failed(failure_of(error), began, time.time())
        self._stages.ended(stage, host, retires=receipt.retires)
        live = self._live.get(stage)
        if live is None or live[0] is not cancellation:
            return  # given up; by now the stage may be executed once more
        del self._live[stage]
        ends.stage_ended(stage, assignment.attempt, receipt)
