"""``LocalRuntime``: the same pipelines in this process, on the caller's event loop, without Ray."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
from collections.abc import Coroutine, Mapping, Sequence
from contextvars import Context, copy_context
from functools import partial
from typing import Any, NamedTuple

from stageflow_actors.actors.bodies import Bodies, Ends
from stageflow_actors.actors.codec import Payload
from stageflow_actors.actors.deployment import Deployment
from stageflow_actors.actors.doors import door_of
from stageflow_actors.actors.failures import Failure, failure_of, setup_error
from stageflow_actors.actors.feed import Feed
from stageflow_actors.actors.gates import GatedBodies, Gates
from stageflow_actors.actors.handle import RunHandle
from stageflow_actors.actors.idempotency import IdempotencyDesk
from stageflow_actors.actors.local_bodies import LocalBodies
from stageflow_actors.actors.local_children import LocalChildren
from stageflow_actors.actors.local_stages import LocalStages
from stageflow_actors.actors.messages import Receipt, RunReport, StageKey
from stageflow_actors.actors.nursery import Nursery
from stageflow_actors.actors.outlets import Outlets, Read
from stageflow_actors.actors.parental_bodies import ParentalBodies
from stageflow_actors.actors.piece_inbox import PieceSource
from stageflow_actors.actors.reports import refused_report
from stageflow_actors.actors.run import CLOSED, Run
from stageflow_actors.actors.runtime import Runtime
from stageflow_actors.actors.sealing import seal_view, view_to_payload
from stageflow_actors.actors.stage_stream import OpenStreams
from stageflow_actors.actors.start_hooks import HookDesk, Questions
from stageflow_actors.actors.waiting_room import Turn, WaitingRoom
from stageflow_actors.actors.wiring import wire
from stageflow_actors.model.pipeline_context import PipelineContext
from stageflow_actors.model.priority import RunPriority
from stageflow_actors.model.run_view import RunView
from stageflow_actors.model.settings import Settings
from stageflow_actors.model.stats import DeploymentStats
from stageflow_actors.ports import Deployable, IdempotencyStore

logger = logging.getLogger("stageflow_actors")


class LocalRuntime(Runtime):
    """Runs pipelines in this process. Behaves as ``RayRuntime`` does; isolates data, not crashes.

    A plain ``def`` stage that blocks cannot be ended here. One that does not heed its stop within
    ``Settings.grace_s`` is abandoned: the result says so, and its context refuses all it does.
    """

    def deploy(self, pipeline: Deployable) -> Deployment:
        return LocalDeployment(
            pipeline, self.settings, self._feed, self._store.get(), dict(self.registry.items())
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
        feed: Feed,
        store: IdempotencyStore,
        registered: Mapping[str, Deployable],
    ) -> None:
        super().__init__(pipeline, feed)
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
        self._sweeping: asyncio.TimerHandle | None = None
        self._streams = OpenStreams(settings)
        self.outlets = Outlets(pipeline.plan.stage_names, self._streams.give_back, settings)
        self.room = WaitingRoom(settings, self._begin)

    async def _describe(self) -> dict[str, Any]:
        pid, stats = os.getpid(), self._stages.stats()
        runs = self.room.describe()
        family = {} if self._children is None else await self._children.describe()
        return {
            "runtime": "local",
            "supervisor_pid": pid,
            "live_runs": len(self._live) - runs["waiting"],
            "runs": runs,
            "stages": [
                {"name": each.name, "kind": each.kind, "pid": pid, **stats[each.name].load}
                for each in self.plan.stages
            ],
            "streams": self.outlets.describe(),
            "calls_to_supervisor": 0,
            "calls_to_stages": 0,
            **self._gates.describe(),
            **family,
        }

    async def _stats(self) -> DeploymentStats:
        return DeploymentStats(self.name, self.room.stats(), self._stages.stats())

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
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
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
            self._registered[name], self._settings, self.feed, self._store, self._registered
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
        room = self.room
        # What it would send to another process, as the bytes that wait are counted everywhere.
        size = 0 if room.is_free else view_to_payload(view).size
        desk = HookDesk() if context.start_hooks else None
        name = str(next(self._numbers))
        handle = _LocalRunHandle(name, self, context, self._settings, desk)
        start = _Start(name, context, view, keys, desk, handle, copy_context())
        if context.cancellation.reason is not None:
            self._begin(Turn(start, 0.0, context.cancellation.reason))
            return handle
        refused = room.arrive(
            name,
            start,
            tenant=str(context.org_id or ""),
            size=size,
            is_background=context.priority is RunPriority.BACKGROUND,
            limit_s=context.limit_s,
        )
        if refused is not None:
            handle.refuse(refused_report(self.plan, refused))
        return handle

    def _begin(self, turn: Turn[_Start]) -> None:
        name, context, view, keys, desk, handle, around = turn.item
        local: Bodies[Ends] = LocalBodies(
            self._stages,
            view,
            context.timer,
            self._abandoned,
            name,
            self._nursery,
            handle.loop,
            self.outlets,
            self._streams,
            around,
        )
        parental = None
        if self._children is not None:
            local = parental = ParentalBodies(local, self._children.family, name)
        bodies = GatedBodies(local, self._gates, keys, desk)
        run = Run(self.plan, bodies, self._settings, handle.loop)
        if parental is not None:
            parental.open(run.log)
        self.outlets.begin(name, run.log)
        run.ended.add_done_callback(partial(self._ended, handle, bodies), context=around)
        limit_s = context.limit_s
        if limit_s is not None:
            limit_s = max(0.0, limit_s - turn.waited_s)
        run.begin(turn.cancelled, limit_s)
        handle.begin(run)
        if self._sweeping is None:
            self._sweep_later()

    def _sweep_later(self) -> None:
        self._sweeping = asyncio.get_running_loop().call_later(
            self._settings.event_flush_interval_s, self._sweep
        )

    def _sweep(self) -> None:
        """Events of a run that goes on are told from time to time."""
        self._sweeping = None
        for handle in tuple(self._live):
            if isinstance(handle, _LocalRunHandle):
                handle.flush()
        if self._live:
            self._sweep_later()

    def _ended(
        self, handle: _LocalRunHandle, bodies: GatedBodies, ended: asyncio.Future[RunReport]
    ) -> None:
        try:
            handle.run_ended(ended)
        finally:
            bodies.close()
            self.room.leave(handle.name)


class _Start(NamedTuple):
    """A run that has not begun yet."""

    name: str
    context: PipelineContext
    view: RunView | Payload
    keys: Mapping[int, StageKey]
    desk: HookDesk | None
    handle: _LocalRunHandle
    around: Context
    """Of who has started it: when its turn comes, another run's has just ended."""


class _LocalPieces(NamedTuple):
    """What a run streams out, of the deployment in this process."""

    outlets: Outlets
    run: str
    take: Read

    def read(self) -> None:
        self.outlets.read(self.run, self.take)

    def read_to(self, seq: int) -> None:
        self.outlets.read_to(self.run, seq)

    def leave(self) -> None:
        self.outlets.leave(self.run)


class _LocalRunHandle(RunHandle):
    """Of a run that may still wait for its turn, or is refused."""

    __slots__ = ("_desk", "_outlets", "_room", "_run", "name")

    def __init__(
        self,
        name: str,
        deployment: LocalDeployment,
        context: PipelineContext,
        settings: Settings,
        desk: HookDesk | None,
    ) -> None:
        self.name = name
        self._room = deployment.room
        self._outlets = deployment.outlets
        self._desk = desk
        self._run: Run | None = None
        super().__init__(deployment.plan, context, deployment.feed, settings, deployment.execution)

    def begin(self, run: Run) -> None:
        """Its turn has come, or it was cancelled before."""
        self._run = run
        if self._is_watching:
            self._watch()

    def refuse(self, report: RunReport) -> None:
        """It will not begin at all."""
        if self._desk is not None:
            self._desk.close()
        self._outlets.close(self.name)
        self._reported(report)

    def run_ended(self, ended: asyncio.Future[RunReport]) -> None:
        """Take what there is to tell of it, or why there is nothing."""
        self.take_pieces(self._outlets.close(self.name))
        defect = ended.exception()
        if defect is None:
            self._reported(ended.result())
        else:
            self._lost(defect)

    def _watch(self) -> None:
        if self._run is not None:
            self._run.log.on_news = self.flush
            self.flush()

    def flush(self) -> None:
        """Take its events so far."""
        if self._run is not None:
            self._take(self._run.log.take())

    async def _fetch_questions(self, after: int) -> Questions:
        assert self._desk is not None, "a run without hooks asks nothing"
        return await self._desk.questions(after)

    def _send_answer(self, number: int, receipt: Receipt | None) -> None:
        assert self._desk is not None, "a run without hooks asks nothing"
        self._desk.answer(number, receipt)

    async def _fetch_failure(self, stage: str) -> Failure | None:
        return None if self._run is None else self._run.failure_of(stage)

    def _piece_source(self) -> PieceSource:
        return _LocalPieces(self._outlets, self.name, self.take_pieces)

    def _send_cancel(self, reason: str) -> None:
        if self._run is not None:
            self._run.cancel(reason)
        else:
            self._room.cancel(self.name, reason)
