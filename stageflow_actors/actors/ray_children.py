"""Child runs on Ray: each child pipeline has a supervisor of its own, which its parent's owns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from stageflow_actors.actors.children import Children
from stageflow_actors.actors.codec import Payload
from stageflow_actors.actors.event_log import EventLog, OwnNumbers
from stageflow_actors.actors.exchange import Exchange, Exchanges, answered
from stageflow_actors.actors.failures import Failure, failure_of, failure_to_wire
from stageflow_actors.actors.family import Child, ChildFacts
from stageflow_actors.actors.far_outputs import is_far
from stageflow_actors.actors.messages import Execution, RunReport, RunRequest
from stageflow_actors.actors.outlets import Piece
from stageflow_actors.actors.parcels import Parcel
from stageflow_actors.actors.reports import unstarted_report
from stageflow_actors.actors.supervisor_client import SupervisorClient
from stageflow_actors.errors import RuntimeFault, SpawnRefusedError
from stageflow_actors.model.events import Event, EventOrigin
from stageflow_actors.model.plan import Plan
from stageflow_actors.model.results import SUPERVISOR, RunStatus
from stageflow_actors.model.settings import Settings

_REPLY_SIZE = 4_000
"""About how many bytes a reply has on its way."""


class ChildPackage(NamedTuple):
    """A registered pipeline as it travels: its shape, and the user's code as bytes."""

    plan: Plan
    code: Sequence[Payload]
    door: Payload


class ChildRequest(NamedTuple):
    """Stage to supervisor: run a child. ``labels`` say in events whose they are."""

    parent: Execution
    facts: ChildFacts
    labels: Mapping[str, str | None]
    run: RunRequest


class ChildReply(NamedTuple):
    """Supervisor to stage: how a child has ended; without a report, why there is none.

    With ``is_refused`` it has not begun.
    """

    status: RunStatus
    reason: str | None
    report: RunReport | None = None
    failure: Failure | None = None
    is_refused: bool = False


class RayChildGroup:
    """One child pipeline: its supervisor, which this process owns."""

    def __init__(self, supervisor: SupervisorClient, settings: Settings) -> None:
        self._supervisor = supervisor
        self._settings = settings
        self._live = 0
        self._idle = asyncio.Event()

    @property
    def is_lost(self) -> bool:
        """Whether its supervisor died, or gave up."""
        return self._supervisor.is_lost

    @property
    def pids(self) -> list[int]:
        """The processes below it, as far as is known."""
        return self._supervisor.pids

    async def open(self) -> None:
        """Start its stages."""
        await self._supervisor.open()

    async def close(self) -> None:
        """Stop them; reports may still be on their way then."""
        try:
            await self._supervisor.close()
            if self._live and not self._supervisor.is_dead:
                async with asyncio.timeout(self._settings.stop_timeout_s):
                    await self._idle.wait()
        except TimeoutError:
            pass  # it is killed whatever it does
        finally:
            self._supervisor.kill()

    async def describe(self) -> dict[str, Any]:
        """What it says of itself."""
        return await self._supervisor.describe()

    async def run(self, request: RunRequest, child: Child, origin: Mapping[str, Any]) -> RunReport:
        """Run it to its verdict; its events go to the log of the parent, as they come."""
        relay = _Relay(child.log, origin)
        self._supervisor.submit(request, relay)

        def tell(reason: str) -> None:
            self._supervisor.cancel(request.run, reason)

        child.tell = tell
        self._live += 1
        self._idle.clear()
        try:
            report = await relay.report
        finally:
            self._live -= 1
            if not self._live:
                self._idle.set()
        if report.stage == SUPERVISOR and report.retry_after_s is None:
            self._supervisor.has_given_up = True  # it takes no more runs
        relay.take_events(report.events)
        return report._replace(events=())


class _Relay:
    """Passes the events of a child on; ``report`` is its report, once there is one."""

    __slots__ = ("_log", "_numbers", "_origin", "report")

    def __init__(self, log: EventLog, origin: Mapping[str, Any]) -> None:
        self._log = log
        self._origin = origin
        self._numbers = OwnNumbers()
        self.report: asyncio.Future[RunReport] = asyncio.get_running_loop().create_future()

    def take_pieces(self, pieces: Sequence[Piece]) -> None:
        """What a child streams out stays with it: whoever waits for it reads its output."""

    def take_report(self, report: RunReport) -> None:
        if not self.report.done():
            self.report.set_result(report)

    def take_loss(self, error: BaseException) -> None:
        if not self.report.done():
            self.report.set_exception(error)

    def take_events(self, events: Sequence[Event]) -> None:
        for own in self._numbers.renumbered(events):
            origin = own.origin or EventOrigin(self._origin, own.seq)
            self._log.append_from_child(own._replace(origin=origin))
        self._log.notify()


class RayChildren(Children[RayChildGroup, ChildRequest, ChildReply]):
    """The children of one supervisor; ``hire`` starts one below it."""

    def __init__(
        self,
        packages: Mapping[str, ChildPackage],
        hire: Callable[[ChildPackage], SupervisorClient],
        settings: Settings,
    ) -> None:
        super().__init__(settings)
        self._packages = packages
        self._hire = hire
        self._settings = settings
        self._running: set[asyncio.Task[None]] = set()
        self._exchanges = Exchanges(self._take_message, settings)

    async def exchange(self, caller: str, parcel: Parcel) -> Parcel:
        """Take the messages of a ``Channel``, each a ``ChildRequest``; answer with what has ended:
        the id of the child, and a ``ChildReply``.
        """
        return await answered(partial(self._exchanges.take, caller, parcel))

    def _take_message(self, exchange: Exchange, request: ChildRequest) -> None:
        exchange.due += 1
        running = asyncio.ensure_future(self._reply(exchange, request))
        self._running.add(running)  # the loop itself holds tasks only weakly
        running.add_done_callback(self._running.discard)

    def pids(self) -> list[int]:
        """The processes of all children."""
        return [pid for group in self.groups.groups() for pid in group.pids]

    async def _reply(self, exchange: Exchange, request: ChildRequest) -> None:
        facts = request.facts
        try:
            reply = await self.bring_up(request.parent, facts, facts.pipeline, request)
        except SpawnRefusedError as refusal:
            failure = failure_to_wire(failure_of(refusal))
            reply = ChildReply(RunStatus.FAILED, refusal.message, None, failure, is_refused=True)
        far = reply.report is not None and is_far(reply.report)
        exchange.due -= 1
        exchange.tell((facts.child_run_id, reply), _REPLY_SIZE, has_refs=far)

    def _create(self, name: str) -> RayChildGroup:
        return RayChildGroup(self._hire(self._packages[name]), self._settings)

    async def _run(
        self, group: RayChildGroup, child: Child, request: ChildRequest, waited_s: float
    ) -> ChildReply:
        run, limit_s = request.run, request.run.limit_s
        if limit_s is not None:
            run = run._replace(limit_s=max(0.0, limit_s - waited_s))
        report = await group.run(run, child, request.labels)
        return ChildReply(report.status, report.reason, report)

    def _never_begun(self, request: ChildRequest, reason: str) -> ChildReply:
        report = unstarted_report(self._packages[request.facts.pipeline].plan, reason)
        return ChildReply(report.status, report.reason, report)

    def _lost(self, request: ChildRequest, fault: RuntimeFault) -> ChildReply:
        failure = failure_to_wire(failure_of(fault))
        return ChildReply(RunStatus.FAILED, fault.message, None, failure)
