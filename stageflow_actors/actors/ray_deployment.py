"""``RayDeployment``: the client's side of one supervisor, and of the runs that it holds."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Sequence
from typing import Any, cast
from uuid import uuid4

import ray
from ray.exceptions import RayActorError, RayError

from stageflow_actors.actors.codec import Payload
from stageflow_actors.actors.control import actor_class
from stageflow_actors.actors.deployment import Deployment
from stageflow_actors.actors.event_pump import PumpSource
from stageflow_actors.actors.failures import Failure
from stageflow_actors.actors.handle import RunHandle
from stageflow_actors.actors.messages import RunReport, RunRequest, pack, unpack
from stageflow_actors.actors.reports import result_of, result_of_lost_supervisor
from stageflow_actors.actors.sealing import seal_snapshot, snapshot_to_payload
from stageflow_actors.actors.stage_host import setup_error
from stageflow_actors.actors.supervisor import Supervisor
from stageflow_actors.errors import RayStartError, SupervisorLostError, describe_exception
from stageflow_actors.model.context import PipelineContext
from stageflow_actors.model.events import Event
from stageflow_actors.model.plan import Plan
from stageflow_actors.model.results import RunResult
from stageflow_actors.model.settings import Settings

logger = logging.getLogger("stageflow_actors")


class RayDeployment(Deployment):
    """The client's side of one supervisor."""

    def __init__(
        self, plan: Plan, code: Sequence[Payload], settings: Settings, pump: PumpSource
    ) -> None:
        super().__init__(plan)
        self._code = code
        self._settings = settings
        self._pump = pump
        self._supervisor: Any = None
        self._id = uuid4().hex[:12]
        self._numbers = itertools.count(1)
        self._calls = 0

    def call(self, method: str, *args: Any) -> Any:
        """Call the supervisor; the only way from the client to it."""
        self._calls += 1
        return getattr(self._supervisor, method).remote(*args)

    async def _describe(self) -> dict[str, Any]:
        described: dict[str, Any] = await self.call("describe")
        return {
            "runtime": "ray",
            **described,
            "calls_to_supervisor": self._calls,
        }

    async def _open(self) -> None:
        # On this thread: Ray installs its signal handlers from the main thread only. Starting Ray
        # blocks the event loop for seconds, once per process.
        _ensure_ray()
        supervisor = actor_class(Supervisor, self._settings.max_pending_calls)
        self._supervisor = supervisor.remote(self.plan, self._code, self._settings)
        try:
            failures: dict[str, Failure] = await self.call("open")
        except RayError as error:
            raise SupervisorLostError(
                f"The supervisor of pipeline '{self.name}' did not start: "
                f"{describe_exception(error)}"
            ) from error
        if failures:
            await self._close()
            stage, failure = next(iter(failures.items()))
            raise setup_error(self.name, stage, failure)

    async def _close(self) -> None:
        try:
            await self.call("close")
        except RayError:
            logger.info("The supervisor of pipeline '%s' was gone before its close.", self.name)
        await self._conclude_runs()  # their reports are on the way; only then may it be killed
        ray.kill(self._supervisor)

    def _launch(self, context: PipelineContext) -> RunHandle:
        # Unique even where two runs share a pipeline_run_id.
        run = f"{self._id}-{next(self._numbers)}"
        return _RayRunHandle(self, run, context, self._pump, self._settings)


class _RayRunHandle(RunHandle):
    def __init__(
        self,
        deployment: RayDeployment,
        run: str,
        context: PipelineContext,
        pump: PumpSource,
        settings: Settings,
    ) -> None:
        self._deployment = deployment
        self._run = run
        self._launched_at = time.time()
        self._report = deployment.call(
            "run",
            pack(
                RunRequest(
                    run=self._run,
                    snapshot=snapshot_to_payload(seal_snapshot(context.snapshot)),
                    started_ms=int(self._launched_at * 1000),
                    cancelled=context.cancellation.reason,
                )
            ),
        )
        super().__init__(context, pump, settings.event_flush_interval_s)

    async def _fetch_report(self) -> RunReport | RunResult:
        try:
            return cast("RunReport", unpack(await self._report))
        except RayActorError as error:
            self._deployment.is_lost = True
            return result_of_lost_supervisor(
                error, self._deployment.name, self._context.snapshot, self._launched_at, time.time()
            )

    async def _fetch_events(self, after: int) -> tuple[Sequence[Event], bool]:
        try:
            return cast(
                "tuple[Sequence[Event], bool]",
                await self._deployment.call("events", self._run, after),
            )
        except RayActorError:
            return (), True

    def _send_cancel(self, reason: str) -> None:
        self._deployment.call("cancel", self._run, reason)

    def _to_result(self, report: RunReport) -> RunResult:
        return result_of(report, self._deployment.name, self._context.snapshot)


def _ensure_ray() -> None:
    if ray.is_initialized():
        return
    logger.info("No Ray in this process: starting a local one.")
    try:
        ray.init(address="local")
    except Exception as error:
        raise RayStartError(
            f"Ray could not be started: {type(error).__name__}: {describe_exception(error)}.",
            hint="Read Ray's log above, or run on LocalRuntime() meanwhile.",
        ) from error
