"""``RayRuntime``: pipelines on Ray, one supervisor actor per deployment."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Sequence
from typing import Any, cast
from uuid import uuid4

import ray
from ray.exceptions import RayActorError, RayError

from stageflow_actors.actors.codec import (
    Failure,
    Payload,
    encode,
    seal_snapshot,
    snapshot_to_payload,
)
from stageflow_actors.actors.deployment import Deployment
from stageflow_actors.actors.event_pump import EventPump
from stageflow_actors.actors.handle import RunHandle
from stageflow_actors.actors.messages import RunReport, RunRequest, pack, unpack
from stageflow_actors.actors.reports import result_of, result_of_lost_supervisor
from stageflow_actors.actors.runtime import Runtime
from stageflow_actors.actors.stage_host import setup_error
from stageflow_actors.actors.supervisor import Supervisor
from stageflow_actors.actors.warm import WarmDeployments
from stageflow_actors.errors import (
    DeploymentError,
    RayStartError,
    SupervisorLostError,
    describe_exception,
)
from stageflow_actors.model.context import PipelineContext
from stageflow_actors.model.events import Event
from stageflow_actors.model.plan import Plan
from stageflow_actors.model.results import PipelineResults, RunResult
from stageflow_actors.model.settings import Settings
from stageflow_actors.model.stage import StageSpec
from stageflow_actors.ports import Deployable, EventSink

logger = logging.getLogger("stageflow_actors")


class RayRuntime(Runtime):
    """Runs pipelines on Ray: on the one this process is connected to, else on a new local one."""

    def __init__(
        self, *, settings: Settings | None = None, event_sink: EventSink | None = None
    ) -> None:
        super().__init__(settings=settings, event_sink=event_sink)
        self._warm = WarmDeployments(self.settings.max_idle_deployments)

    def deploy(self, pipeline: Deployable) -> Deployment:
        return self._deployment(pipeline.plan, pack_code(pipeline.plan.name, pipeline.specs))

    async def run_once(self, pipeline: Deployable, context: PipelineContext) -> PipelineResults:
        """Run on a deployment that stays warm for the next run of the same pipeline."""
        plan, code = pipeline.plan, pack_code(pipeline.plan.name, pipeline.specs)
        async with self._warm.borrow(plan, code, lambda: self._deployment(plan, code)) as app:
            return await app.run(context)

    async def close(self) -> None:
        await self._warm.close()
        await super().close()

    def _deployment(self, plan: Plan, code: Sequence[Payload]) -> RayDeployment:
        return RayDeployment(plan, code, self.settings, self._pump)


def pack_code(pipeline: str, specs: Sequence[StageSpec]) -> list[Payload]:
    """The code of each stage as bytes: by reference where importable, else by value.

    Raises:
        DeploymentError: a stage cannot be pickled; ``stage`` names it.
    """
    return [_pack(pipeline, spec) for spec in specs]


def _pack(pipeline: str, spec: StageSpec) -> Payload:
    try:
        return encode(spec)
    except Exception as error:
        raise DeploymentError(
            f"Stage '{spec.name}' of pipeline '{pipeline}' cannot be pickled: "
            f"{type(error).__name__}: {describe_exception(error)}.",
            stage=spec.name,
            hint="Open connections, locks and files in setup(), which runs in the stage's process.",
            code="DEPLOYMENT-UNPICKLABLE",
        ) from error


class RayDeployment(Deployment):
    """The client's side of one supervisor."""

    def __init__(
        self, plan: Plan, code: Sequence[Payload], settings: Settings, pump: EventPump
    ) -> None:
        super().__init__(plan)
        self._code = code
        self._settings = settings
        self._pump = pump
        self._supervisor: Any = None
        self._id = uuid4().hex[:12]
        self._numbers = itertools.count(1)
        self._calls = 0

    async def describe(self) -> dict[str, Any]:
        described: dict[str, Any] = await self._supervisor.describe.remote()
        return {
            "pipeline": self.name,
            "runtime": "ray",
            **described,
            "calls_to_supervisor": self._calls,
        }

    async def _open(self) -> None:
        # On this thread: Ray installs its signal handlers from the main thread only. Starting Ray
        # blocks the event loop for seconds, once per process.
        _ensure_ray()
        self._supervisor = (
            ray.remote(Supervisor)
            .options(
                num_cpus=0,
                max_restarts=0,
                max_task_retries=0,
                max_concurrency=self._settings.max_pending_calls,
                enable_task_events=False,
            )
            .remote(self.plan, self._code, self._settings)
        )
        try:
            failures: dict[str, Failure] = await self._supervisor.open.remote()
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
            await self._supervisor.close.remote()
            ray.kill(self._supervisor)
        except RayError:
            logger.info("The supervisor of pipeline '%s' was gone before its close.", self.name)

    def _launch(self, context: PipelineContext) -> RunHandle:
        self._calls += 1
        return _RayRunHandle(self, context)

    def call(self, method: str, *args: Any) -> Any:
        """Call the supervisor; the only way from the client to it while runs go on."""
        return getattr(self._supervisor, method).remote(*args)

    def next_run(self) -> str:
        """A key for one run, unique even where two runs share a ``pipeline_run_id``."""
        return f"{self._id}-{next(self._numbers)}"

    @property
    def pump(self) -> EventPump:
        """Where its events go."""
        return self._pump

    @property
    def settings(self) -> Settings:
        """Its bounds."""
        return self._settings


class _RayRunHandle(RunHandle):
    def __init__(self, deployment: RayDeployment, context: PipelineContext) -> None:
        self._deployment = deployment
        self._run = deployment.next_run()
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
        super().__init__(context, deployment.pump, deployment.settings.event_flush_interval_s)

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
