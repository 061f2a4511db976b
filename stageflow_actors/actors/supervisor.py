"""``Supervisor``: the Ray actor that owns one deployment: its stage actors and all its runs.

It runs no user code and imports no user module. User data passes through as bytes.
"""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import ray

from stageflow_actors.actors.bodies import Bodies, Ends
from stageflow_actors.actors.callers import Callers
from stageflow_actors.actors.codec import Payload
from stageflow_actors.actors.control import CHILDREN, CONTROL, EVENTS, WorkLoop
from stageflow_actors.actors.direct_door import Direct
from stageflow_actors.actors.exchange import answered
from stageflow_actors.actors.failures import Failure, failure_of, failure_to_wire
from stageflow_actors.actors.gates import GatedBodies, Gates
from stageflow_actors.actors.idempotency import IdempotencyDesk
from stageflow_actors.actors.messages import Execution, RunReport, RunRequest, unpack
from stageflow_actors.actors.outlets import Outlets
from stageflow_actors.actors.parcels import Parcel
from stageflow_actors.actors.parental_bodies import ParentalBodies
from stageflow_actors.actors.ray_children import ChildPackage, RayChildren
from stageflow_actors.actors.ray_line import Parent
from stageflow_actors.actors.remote_bodies import RemoteBodies
from stageflow_actors.actors.reports import refused_report
from stageflow_actors.actors.roster import Roster
from stageflow_actors.actors.run import CLOSED, Run
from stageflow_actors.actors.stage_group import StageGroup
from stageflow_actors.actors.start_hooks import HookDesk, Questions
from stageflow_actors.actors.stores import open_store
from stageflow_actors.actors.supervising import begin_supervising
from stageflow_actors.actors.supervisor_client import SupervisorClient, start_supervisor
from stageflow_actors.actors.waiting_room import Turn, WaitingRoom
from stageflow_actors.model.plan import Plan
from stageflow_actors.model.settings import Settings
from stageflow_actors.model.stats import DeploymentStats
from stageflow_actors.ports import IdempotencyStore

_MAX_EARLY_CANCELS = 10_000
_ARRIVAL_S = 1.0


class Supervisor(Direct):
    """Decides and delegates: every run is a ``Run``, every stage a ``StageActor`` of its own.

    The stage actors belong to this process. If it dies, Ray ends them with it.
    """

    def __init__(
        self,
        plan: Plan,
        code: Sequence[Payload],
        settings: Settings,
        store_path: str | None,
        packages: Mapping[str, ChildPackage],
    ) -> None:
        self._plan = plan
        self._packages = packages
        self._children: RayChildren | None = None
        self._settings = settings
        self._roster = Roster()
        parent = self._parent() if packages else None
        self._group = StageGroup(plan, code, settings, self._escalate, self._roster.change, parent)
        self._escalated: str | None = None
        self._store_path = store_path
        self._store: IdempotencyStore | None = None
        self._runs: dict[str, Run] = {}
        self._desks: OrderedDict[str, HookDesk] = OrderedDict()
        # Ray may deliver what is about a run before the request for it.
        self._early_cancels: OrderedDict[str, str] = OrderedDict()
        self._awaited: dict[str, asyncio.Event] = {}
        self._outlets = Outlets(plan.stage_names, self._group.give_back, settings)
        self._callers = Callers(self._take_request, self._outlets, settings)
        self._room = WaitingRoom(settings, self._begin)
        self._is_closing = False
        self._opening: asyncio.Task[dict[str, Failure]] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._work = WorkLoop()

    async def open(self, owner: int | None) -> dict[str, Failure]:
        """Start every stage, in parallel; end with the process ``owner``. Returns stages that
        failed, by name: under that of none stands why the idempotency store could not be opened.
        """
        self._work.adopt()
        if self._opening is None:
            self._opening = asyncio.ensure_future(self._open(owner))
        return await asyncio.shield(self._opening)

    async def _open(self, owner: int | None) -> dict[str, Failure]:
        begin_supervising(owner)
        try:
            self._store = open_store(self._store_path)
        except Exception as error:
            return {"": failure_to_wire(failure_of(error))}
        if self._packages:
            self._children = RayChildren(self._packages, self._hire, self._settings)
        desk = IdempotencyDesk(self._store, self._settings.idempotency_lease_s)
        self._gates = Gates(self._plan, desk, lambda error: failure_to_wire(failure_of(error)))
        await self.open_door(self._callers.take, self._settings)
        return await self._group.start()

    async def exchange(self, caller: str, parcel: Parcel) -> Parcel:
        """Take the messages of a caller's ``Channel``: ``RunRequest``, ``Watch`` and ``Reading``.

        Answers with what there is to tell of its runs, as ``Callers`` says it.
        """
        return await answered(partial(self._callers.take, caller, parcel))

    @ray.method(concurrency_group=CONTROL)
    async def cancel(self, reasons: Mapping[str, str]) -> None:
        """Ask runs to stop, each with its reason."""
        await self._work.run(self._cancel(reasons))

    @ray.method(concurrency_group=EVENTS)
    async def questions(self, run: str, after: int) -> Questions:
        """Stages of a run that are to start, or are skipped, for its hooks; after that question.

        Nothing of a run that is not here, and no last: its request may still be on its way.
        """
        return await self._work.run(self._questions(run, after))

    @ray.method(concurrency_group=CONTROL)
    async def answer(self, run: str, number: int, packed: bytes | None) -> None:
        """Let a stage start; with a packed ``Receipt`` it ends with that instead."""
        await self._work.run(self._answer(run, number, packed))

    @ray.method(concurrency_group=CONTROL)
    async def failure_of(self, run: str, stage: str) -> Failure | None:
        """Why a stage of a live run failed; nothing, once its report has left."""
        return await self._work.run(self._failure_of(run, stage))

    @ray.method(concurrency_group=CHILDREN)
    async def spawn(self, caller: str, parcel: Parcel) -> Parcel:
        """Take the messages of a stage's ``Channel``, each a ``ChildRequest``; answer with what has
        ended.
        """
        assert self._children is not None, "only stages with a registry ask for children"
        return await self._work.run(self._children.exchange(caller, parcel))

    @ray.method(concurrency_group=CONTROL)
    async def cancel_child(self, parent: Execution, child_run_id: str, reason: str) -> None:
        """Tell a child run to stop."""
        await self._work.run(self._cancel_child(parent, child_run_id, reason))

    @ray.method(concurrency_group=EVENTS)
    async def roster(self, version: int) -> tuple[int, list[int], bool]:
        """All process ids below and its own, once they are others than those of ``version``; and
        whether it has escalated.
        """
        return await self._work.run(self._others_than(version))

    @ray.method(concurrency_group=CONTROL)
    async def describe(self) -> dict[str, Any]:
        """Processes and counters."""
        return await self._work.run(self._describe())

    @ray.method(concurrency_group=CONTROL)
    async def stats(self) -> DeploymentStats:
        """Runs and stages in numbers."""
        return await self._work.run(self._group.census.stats(self._room))

    @ray.method(concurrency_group=CONTROL)
    async def close(self) -> None:
        """Cancel every run, wait for the verdicts within the time limit, and stop the stages.

        A run whose stage does not stop in time ends when the process of that stage is killed.
        """
        await self._work.run(self._close_once())

    def _take_request(self, request: RunRequest) -> None:
        if request.cancelled is None:
            early = self._early_cancels.pop(request.run, None) if self._early_cancels else None
            request = request._replace(cancelled=CLOSED if self._is_closing else early)
        if self._escalated is not None or request.cancelled is not None:
            self._begin(Turn(request, 0.0, None))
            return
        refused = self._room.arrive(
            request.run,
            request,
            tenant=request.tenant,
            size=request.view.size,
            is_background=request.is_background,
            limit_s=request.limit_s,
        )
        if refused is not None:
            if request.has_hooks:
                self._desks[request.run] = HookDesk()
                self._desks[request.run].close()
                self._tell_arrival(request.run)
            self._callers.report(request.run, refused_report(self._plan, refused))

    def _begin(self, turn: Turn[RunRequest]) -> None:
        request = turn.item
        run, bodies = self._make_run(request)
        run.ended.add_done_callback(partial(self._ended, request.run, bodies))
        self._outlets.begin(request.run, run.log)
        self._callers.follow(request.run, run.log)
        limit_s = request.limit_s
        limit_s = None if limit_s is None else max(0.0, limit_s - turn.waited_s)
        if self._escalated is not None:
            run.escalate(self._escalated)
        run.begin(turn.cancelled or request.cancelled, limit_s)
        self._tell_arrival(request.run)

    def _make_run(self, request: RunRequest) -> tuple[Run, GatedBodies]:
        if request.has_hooks:
            self._desks[request.run] = HookDesk()
        desk = self._desks.get(request.run) if self._desks else None
        parental, has_children = None, self._children is not None
        remote: Bodies[Ends] = RemoteBodies(
            self._group, request, self._gates.is_calm, self._outlets, has_children=has_children
        )
        if self._children is not None:
            remote = parental = ParentalBodies(remote, self._children.family, request.run)
        bodies = GatedBodies(remote, self._gates, request.keys, desk)
        run = self._runs[request.run] = Run(self._plan, bodies, self._settings, self._work.loop)
        if parental is not None:
            parental.open(run.log)
        return run, bodies

    def _ended(self, name: str, bodies: GatedBodies, ended: asyncio.Future[RunReport]) -> None:
        defect = ended.exception()
        outcome = failure_to_wire(failure_of(defect)) if defect else ended.result()
        self._callers.report(name, outcome)
        del self._runs[name]
        bodies.close()
        if len(self._desks) > len(self._runs) + _MAX_EARLY_CANCELS:
            self._forget_desks()
        self._room.leave(name)

    def _forget_desks(self) -> None:
        """Of runs that have ended, and whose hooks nobody has asked for."""
        for run in [each for each in self._desks if each not in self._runs]:
            del self._desks[run]

    async def _cancel(self, reasons: Mapping[str, str]) -> None:
        for run, reason in reasons.items():
            live = self._runs.get(run)
            if live is not None:
                live.cancel(reason)
            elif not self._room.cancel(run, reason):
                self._early_cancels[run] = reason
                if len(self._early_cancels) > _MAX_EARLY_CANCELS:
                    self._early_cancels.popitem(last=False)

    async def _questions(self, run: str, after: int) -> Questions:
        if run not in self._desks:
            await self._arrival_of(run)
        desk = self._desks.get(run)
        if desk is None:
            return (), False
        questions, is_last = await desk.questions(after)
        if is_last:
            self._desks.pop(run, None)
        return questions, is_last

    async def _answer(self, run: str, number: int, packed: bytes | None) -> None:
        desk = self._desks.get(run)
        if desk is not None:
            desk.answer(number, None if packed is None else unpack(packed))

    async def _failure_of(self, run: str, stage: str) -> Failure | None:
        live = self._runs.get(run)
        return None if live is None else live.failure_of(stage)

    def _tell_arrival(self, run: str) -> None:
        if run in self._awaited:
            self._awaited.pop(run).set()

    async def _arrival_of(self, run: str) -> None:
        arrival = self._awaited.setdefault(run, asyncio.Event())
        try:
            async with asyncio.timeout(_ARRIVAL_S):
                await arrival.wait()
        except TimeoutError:
            self._awaited.pop(run, None)

    async def _cancel_child(self, parent: Execution, child_run_id: str, reason: str) -> None:
        if self._children is not None:
            self._children.family.cancel_one(parent, child_run_id, reason)

    async def _others_than(self, version: int) -> tuple[int, list[int], bool]:
        version = await self._roster.others_than(version)
        below = [] if self._children is None else self._children.pids()
        pids = [os.getpid(), *self._group.census.pids(), *below]
        return version, pids, self._escalated is not None

    def _parent(self) -> Parent:
        """What the stages need to have children. Their handle of this actor keeps nothing alive."""
        me = ray.get_runtime_context().current_actor
        return Parent(me, {name: package.door for name, package in self._packages.items()})

    def _hire(self, package: ChildPackage) -> SupervisorClient:
        return start_supervisor(
            type(self),
            package.plan,
            package.code,
            self._settings,
            self._store_path,
            self._packages,
            self._roster.change,
        )

    def _escalate(self, story: str) -> None:
        """Restarting has not helped: end every run, and take no more."""
        self._escalated = story
        self._roster.change()
        for run in self._runs.values():
            run.escalate(story)

    async def _describe(self) -> dict[str, Any]:
        family = {} if self._children is None else await self._children.describe()
        return {
            "supervisor_pid": os.getpid(),
            "live_runs": len(self._runs),
            "runs": self._room.describe(),
            "streams": self._outlets.describe(),
            **self._group.describe(),
            **self._gates.describe(),
            **family,
        }

    async def _close_once(self) -> None:
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        self._is_closing = True
        self._room.close(CLOSED)
        ends = [run.ended for run in self._runs.values()]
        for run in self._runs.values():
            run.cancel(CLOSED)
        if ends:
            await asyncio.wait(ends, timeout=self._settings.stop_timeout_s)
        if self._children is not None:
            await self._children.close()
        await self._group.stop()
        if ends:
            await asyncio.wait(ends, timeout=self._settings.stop_timeout_s)
        if self._store is not None:
            await self._store.close()
