"""``Supervisor``: the Ray actor that owns one deployment: its stage actors and all its runs.

It runs no user code and imports no user module. User data passes through as bytes.
"""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ray

from stageflow_actors.actors.bodies import Bodies, Ends
from stageflow_actors.actors.codec import Payload
from stageflow_actors.actors.control import CHILDREN, CONTROL, EVENTS, WorkLoop, actor_class
from stageflow_actors.actors.failures import Failure, failure_of, failure_to_wire
from stageflow_actors.actors.family import Execution
from stageflow_actors.actors.gates import GatedBodies, Gates
from stageflow_actors.actors.idempotency import IdempotencyDesk
from stageflow_actors.actors.kept_replies import KeptReplies
from stageflow_actors.actors.messages import RunRequest, pack, unpack
from stageflow_actors.actors.parental_bodies import ParentalBodies
from stageflow_actors.actors.ray_children import ChildPackage, RayChildren
from stageflow_actors.actors.ray_line import Parent
from stageflow_actors.actors.remote_bodies import RemoteBodies
from stageflow_actors.actors.roster import Roster
from stageflow_actors.actors.run import CLOSED, Run
from stageflow_actors.actors.stage_group import StageGroup
from stageflow_actors.actors.start_hooks import HookDesk, Questions
from stageflow_actors.actors.stores import open_store
from stageflow_actors.actors.supervisor_client import SupervisorClient
from stageflow_actors.errors import RuntimeFault
from stageflow_actors.model.events import Event
from stageflow_actors.model.plan import Plan
from stageflow_actors.model.settings import Settings
from stageflow_actors.ports import IdempotencyStore

_MAX_EARLY_CANCELS = 10_000
_ARRIVAL_S = 1.0


class Supervisor:
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
        self._is_closing = False
        self._opening: asyncio.Task[dict[str, Failure]] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._kept = KeptReplies[str](settings.max_kept_reports, settings.max_kept_reply_bytes)
        self._work = WorkLoop()

    async def open(self) -> dict[str, Failure]:
        """Start every stage, in parallel. Returns those that failed, by name.

        Under the name of none stands why the idempotency store could not be opened.
        """
        self._work.adopt()
        if self._opening is None:
            self._opening = asyncio.ensure_future(self._open())
        return await asyncio.shield(self._opening)

    async def _open(self) -> dict[str, Failure]:
        try:
            self._store = open_store(self._store_path)
        except Exception as error:
            return {"": failure_to_wire(failure_of(error))}
        if self._packages:
            self._children = RayChildren(self._packages, self._hire, self._settings)
        desk = IdempotencyDesk(self._store, self._settings.idempotency_lease_s)
        self._gates = Gates(self._plan, desk, lambda error: failure_to_wire(failure_of(error)))
        return await self._group.start()

    async def run(self, packed: bytes) -> bytes:
        """Execute a ``RunRequest`` to its verdict; answer with the ``RunReport``.

        The same run is executed once, however often it is asked for because a reply was lost.

        Raises:
            RuntimeFault: it has ended, and its report is not kept any more.
        """
        request: RunRequest = unpack(packed)
        if request.run in self._runs:
            return pack(await asyncio.shield(self._runs[request.run].ended))
        if request.run in self._kept:
            return self._kept.find(request.run) or _refuse_again(request.run)
        run, bodies = self._make_run(request)
        self._begin(run, request)
        report = b""  # of a run that was lost to a defect: it must not be run again
        try:
            report = pack(await run.ended)
            return report
        finally:
            self._kept.keep(request.run, report)
            del self._runs[request.run]
            bodies.close()
            if len(self._desks) > len(self._runs) + _MAX_EARLY_CANCELS:
                self._forget_desks()

    @ray.method(concurrency_group=CONTROL)
    async def cancel(self, reasons: Mapping[str, str]) -> None:
        """Ask runs to stop, each with its reason."""
        await self._work.run(self._cancel(reasons))

    @ray.method(concurrency_group=EVENTS)
    async def events(self, run: str, after: int) -> tuple[tuple[Event, ...], bool]:
        """Events of a live run with ``seq > after``, once there are any; the flag says the last.

        Nothing, and no last, of a run that is not here: its request may still be on its way, or its
        report, with all its events, may have left.
        """
        return await self._work.run(self._events(run, after))

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
    async def spawn(self, packed: bytes) -> bytes:
        """Run the child of a ``ChildRequest`` of a stage; answer with a ``ChildReply``."""
        assert self._children is not None, "only stages with a registry ask for children"
        return await self._work.run(self._children.spawn(packed))

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
    async def close(self) -> None:
        """Cancel every run, wait for the verdicts within the time limit, and stop the stages.

        A run whose stage does not stop in time ends when the process of that stage is killed.
        """
        await self._work.run(self._close_once())

    def _make_run(self, request: RunRequest) -> tuple[Run, GatedBodies]:
        if request.has_hooks:
            self._desks[request.run] = HookDesk()
        desk = self._desks.get(request.run)
        remote: Bodies[Ends] = RemoteBodies(self._group, request)
        parental = None
        if self._children is not None:
            remote = parental = ParentalBodies(remote, self._children.family, request.run)
        bodies = GatedBodies(remote, self._gates, request.keys, desk)
        run = self._runs[request.run] = Run(self._plan, bodies, self._settings)
        if parental is not None:
            parental.open(run.log)
        return run, bodies

    def _begin(self, run: Run, request: RunRequest) -> None:
        cancelled = self._early_cancels.pop(request.run, None)
        if self._is_closing:
            cancelled = CLOSED
        if request.cancelled is not None:
            cancelled = request.cancelled
        run.begin(cancelled, request.limit_s)
        if self._escalated is not None:
            run.escalate(self._escalated)
        if request.run in self._awaited:
            self._awaited.pop(request.run).set()

    def _forget_desks(self) -> None:
        """Of runs that have ended, and whose hooks nobody has asked for."""
        for run in [each for each in self._desks if each not in self._runs]:
            del self._desks[run]

    async def _cancel(self, reasons: Mapping[str, str]) -> None:
        for run, reason in reasons.items():
            live = self._runs.get(run)
            if live is not None:
                live.cancel(reason)
            elif run not in self._kept:
                self._early_cancels[run] = reason
                if len(self._early_cancels) > _MAX_EARLY_CANCELS:
                    self._early_cancels.popitem(last=False)

    async def _events(self, run: str, after: int) -> tuple[tuple[Event, ...], bool]:
        live = self._runs.get(run) or await self._arrival_of(run)
        return ((), False) if live is None else await live.log.wait(after)

    async def _questions(self, run: str, after: int) -> Questions:
        if run in self._kept and run not in self._desks:
            return (), True
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

    async def _arrival_of(self, run: str) -> Run | None:
        arrival = self._awaited.setdefault(run, asyncio.Event())
        try:
            await asyncio.wait_for(arrival.wait(), _ARRIVAL_S)
        except TimeoutError:
            self._awaited.pop(run, None)
        return self._runs.get(run)

    async def _cancel_child(self, parent: Execution, child_run_id: str, reason: str) -> None:
        if self._children is not None:
            self._children.family.cancel_one(parent, child_run_id, reason)

    async def _others_than(self, version: int) -> tuple[int, list[int], bool]:
        version = await self._roster.others_than(version)
        below = [] if self._children is None else self._children.pids()
        pids = [os.getpid(), *self._group.pids(), *below]
        return version, pids, self._escalated is not None

    def _parent(self) -> Parent:
        """What the stages need to have children. Their handle of this actor keeps nothing alive."""
        me = ray.get_runtime_context().current_actor
        return Parent(me, {name: package.door for name, package in self._packages.items()})

    def _hire(self, package: ChildPackage) -> SupervisorClient:
        return start_supervisor(
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
        family: dict[str, Any] = {}
        if self._children is not None:
            family["children"] = await self._children.groups.describe()
            family["child_runs"] = self._children.family.tracker.metrics.to_dict()
        return {
            "supervisor_pid": os.getpid(),
            "live_runs": len(self._runs),
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


def start_supervisor(
    plan: Plan,
    code: Sequence[Payload],
    settings: Settings,
    store_path: str | None,
    packages: Mapping[str, ChildPackage],
    changed: Callable[[], None] | None = None,
) -> SupervisorClient:
    """A supervisor that belongs to this process; stages below it may spawn ``packages``."""
    hired = actor_class(Supervisor, settings.max_pending_calls).remote(
        plan, code, settings, store_path, packages
    )
    return SupervisorClient(hired, plan.name, settings, changed)


def _refuse_again(run: str) -> bytes:
    raise RuntimeFault(
        f"The report of run {run} was lost on its way, and is not kept any more.",
        hint="The run has ended, nobody knows how. Raise Settings.max_kept_reports.",
    )
