"""``RayDeployment``: the client's side of one supervisor, and of the runs that it holds."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple
from uuid import uuid4

from ray.exceptions import RayError, RayTaskError

from stageflow_actors.actors.codec import Payload
from stageflow_actors.actors.deployment import Deployment
from stageflow_actors.actors.failures import Failure
from stageflow_actors.actors.far_outputs import is_far, report_near
from stageflow_actors.actors.feed import Feed
from stageflow_actors.actors.gauges import Sight
from stageflow_actors.actors.handle import RunHandle
from stageflow_actors.actors.messages import (
    Reading,
    Receipt,
    RunReport,
    StageKey,
    pack,
)
from stageflow_actors.actors.piece_inbox import PieceSource
from stageflow_actors.actors.ray_children import ChildPackage
from stageflow_actors.actors.ray_connection import RayConnection, this_node
from stageflow_actors.actors.run_requests import request_of
from stageflow_actors.actors.start_hooks import Questions
from stageflow_actors.actors.supervisor import Supervisor
from stageflow_actors.actors.supervisor_client import SupervisorClient, start_supervisor
from stageflow_actors.actors.wire import without_objects
from stageflow_actors.errors import RuntimeFault, SupervisorLostError
from stageflow_actors.model.events import Event
from stageflow_actors.model.pipeline_context import PipelineContext
from stageflow_actors.model.results import SUPERVISOR
from stageflow_actors.model.settings import Settings
from stageflow_actors.model.stats import DeploymentStats
from stageflow_actors.ports import Deployable

logger = logging.getLogger("stageflow_actors")


class RayDeployment(Deployment):
    """The client's side of one supervisor, and of the next one where that is lost."""

    def __init__(
        self,
        pipeline: Deployable,
        code: Sequence[Payload],
        settings: Settings,
        feed: Feed,
        store_path: str | None,
        packages: Mapping[str, ChildPackage],
        connection: RayConnection,
    ) -> None:
        super().__init__(pipeline, feed)
        self._connection = connection
        self._packages = packages
        self._code = code
        self._settings = settings
        self._store_path = store_path
        self._supervisor: SupervisorClient | None = None
        self._node: str | None = None
        self._id = uuid4().hex[:12]
        self._numbers = itertools.count(1)
        self._calls = 0
        self._parting: set[asyncio.Task[None]] = set()

    @property
    def supervisor(self) -> SupervisorClient:
        """The present one."""
        assert self._supervisor is not None, "a deployment that is open has a supervisor"
        return self._supervisor

    @property
    def is_lost(self) -> bool:
        """Its supervisor died or gave up, or its Ray is not the one of this process any more."""
        is_lost = self._supervisor is not None and self._supervisor.is_lost
        return is_lost or (self._node is not None and self._node != this_node())

    async def _describe(self) -> dict[str, Any]:
        described = await self.supervisor.describe()
        return {
            "runtime": "ray",
            **described,
            "calls_to_supervisor": self._calls + self.supervisor.calls,
        }

    async def _stats(self) -> DeploymentStats:
        stats = await self.supervisor.stats()
        return replace(stats, calls_to_supervisor=self._calls + self.supervisor.calls)

    async def _look(self) -> Sequence[Sight]:
        if self.is_lost:
            raise SupervisorLostError("There is nothing to look at.")
        # Whether it is lost now, who follows it finds out.
        described = await self.supervisor.ask("describe")
        return [Sight((), self.plan, self._measures, described), *self._below((), described)]

    def _below(self, place: tuple[str, ...], described: Mapping[str, Any]) -> Iterator[Sight]:
        """The child pipelines there, and those below them; one that opens or dies says nothing."""
        for child in described.get("children", ()):
            if "stages" in child:
                own, plan = (*place, child["pipeline"]), self._packages[child["pipeline"]].plan
                yield Sight(own, plan, self.feed.metering.measured.of(plan.name), child)
                yield from self._below(own, child)

    async def _open(self) -> None:
        # On this thread: Ray installs its signal handlers from the main thread only. Starting Ray
        # blocks the event loop for seconds, once per process.
        self._connection.open()
        self._node = this_node()
        supervisor = start_supervisor(
            Supervisor, self.plan, self._code, self._settings, self._store_path, self._packages
        )
        try:
            await supervisor.open()
        except BaseException:
            await asyncio.shield(supervisor.close())  # whoever was set up is torn down
            supervisor.kill()
            raise
        self._supervisor = supervisor

    async def _reopen(self) -> None:
        former, was_here = self.supervisor, self._node == this_node()
        logger.warning("The supervisor of pipeline '%s' is lost; it is deployed anew.", self.name)
        runs = self._live_here()
        await self._open()
        self._calls += former.calls
        if was_here:
            parting = asyncio.ensure_future(self._part_from(former, runs))
            self._parting.add(parting)  # the loop itself holds tasks only weakly
            parting.add_done_callback(self._parting.discard)

    async def _part_from(self, supervisor: SupervisorClient, runs: Sequence[RunHandle]) -> None:
        try:
            await supervisor.close()
            # Their reports are on the way; only then may it be killed.
            await self._conclude(runs, self._settings.stop_timeout_s)
        finally:
            supervisor.kill()

    async def _close(self) -> None:
        supervisor = self._supervisor
        if supervisor is None or self._node != this_node():
            return  # there is none, or it went with its Ray
        parting = self._part_from(supervisor, self._live_here())
        here = asyncio.get_running_loop()
        others = [each for each in self._parting if each.get_loop() is here]
        await asyncio.gather(parting, *others, return_exceptions=True)

    def _launch(self, context: PipelineContext, keys: Mapping[int, StageKey]) -> RunHandle:
        # Unique even where two runs share a pipeline_run_id.
        run = f"{self._id}-{next(self._numbers)}"
        self.supervisor.follow()
        return _RayRunHandle(self, self.supervisor, run, context, keys, self._settings)


class _RemotePieces(NamedTuple):
    """What a run streams out, of its supervisor."""

    supervisor: SupervisorClient
    run: str

    def read(self) -> None:
        self.supervisor.read(Reading(self.run))

    def read_to(self, seq: int) -> None:
        self.supervisor.read(Reading(self.run, seq))

    def leave(self) -> None:
        self.supervisor.read(Reading(self.run, is_over=True))


class _RayRunHandle(RunHandle):
    __slots__ = ("_fetching", "_run", "_supervisor")

    def __init__(
        self,
        deployment: RayDeployment,
        supervisor: SupervisorClient,
        run: str,
        context: PipelineContext,
        keys: Mapping[int, StageKey],
        settings: Settings,
    ) -> None:
        self._supervisor = supervisor
        self._run = run
        request = request_of(run, context, keys)._replace(
            cancelled=context.cancellation.reason,
            has_hooks=bool(context.start_hooks),
            is_watched=deployment.execution.on_stage_error is not None,
        )
        super().__init__(deployment.plan, context, deployment.feed, settings, deployment.execution)
        supervisor.submit(request, self)

    def take_events(self, events: Sequence[Event]) -> None:
        self._take(events)

    def take_report(self, report: RunReport) -> None:
        if report.stage == SUPERVISOR and report.retry_after_s is None:
            self._supervisor.has_given_up = True  # it takes no more runs
        if is_far(report):
            self._fetching = self.loop.create_task(self._fetch_far(report))
        else:
            self._reported(report)

    def take_loss(self, error: BaseException) -> None:
        self._lost(error)

    async def _fetch_far(self, report: RunReport) -> None:
        try:
            near = await report_near(report)
        except Exception as error:
            self._lost(error)
        else:
            self._reported(near)

    def _watch(self) -> None:
        self._supervisor.watch(self._run)

    def _piece_source(self) -> PieceSource:
        return _RemotePieces(self._supervisor, self._run)

    async def _fetch_questions(self, after: int) -> Questions:
        try:
            found: Questions = await self._supervisor.ask("questions", self._run, after)
        except RayError:
            return (), True  # the report will not come either, and says why
        return found

    def _send_answer(self, number: int, receipt: Receipt | None) -> None:
        packed = None if receipt is None else pack(without_objects(receipt))
        self._supervisor.tell("answer", self._run, number, packed)

    async def _fetch_failure(self, stage: str) -> Failure | None:
        try:
            found: Failure | None = await self._supervisor.ask("failure_of", self._run, stage)
        except RayError:
            return None
        return found

    def _send_cancel(self, reason: str) -> None:
        self._supervisor.cancel(self._run, reason)

    def _fault(self, error: BaseException) -> RuntimeFault:
        if isinstance(error, SupervisorLostError):
            return error
        return super()._fault(error.cause if isinstance(error, RayTaskError) else error)
