"""``RayDeployment``: the client's side of one supervisor, and of the runs that it holds."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import uuid4

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError

from stageflow_actors.actors.codec import Payload
from stageflow_actors.actors.control import actor_class
from stageflow_actors.actors.deployment import Deployment
from stageflow_actors.actors.event_pump import PumpSource
from stageflow_actors.actors.failures import Failure, open_exception, setup_error
from stageflow_actors.actors.handle import RunHandle
from stageflow_actors.actors.messages import (
    Receipt,
    RunReport,
    RunRequest,
    StageKey,
    pack,
    unpack,
)
from stageflow_actors.actors.sealing import seal_view, view_to_payload
from stageflow_actors.actors.stage_actor import to_wire
from stageflow_actors.actors.start_hooks import Questions
from stageflow_actors.actors.supervisor import Supervisor
from stageflow_actors.errors import (
    RayStartError,
    RuntimeFault,
    SupervisorLostError,
    describe_exception,
)
from stageflow_actors.model.events import Event
from stageflow_actors.model.pipeline_context import PipelineContext
from stageflow_actors.model.settings import Settings
from stageflow_actors.ports import Deployable

logger = logging.getLogger("stageflow_actors")

_STARTING_RAY = threading.Lock()
_CLOSE_MARGIN_S = 5.0


class RayDeployment(Deployment):
    """The client's side of one supervisor."""

    def __init__(
        self,
        pipeline: Deployable,
        code: Sequence[Payload],
        settings: Settings,
        pump: PumpSource,
        store_path: str | None,
    ) -> None:
        super().__init__(pipeline, pump)
        self._code = code
        self._settings = settings
        self._store_path = store_path
        self._supervisor: Any = None
        self._node: str | None = None
        self._is_lost = False
        self._id = uuid4().hex[:12]
        self._numbers = itertools.count(1)
        self._calls = 0

    def call(self, method: str, *args: Any) -> Any:
        """Call the supervisor; the only way from the client to it."""
        self._calls += 1
        return getattr(self._supervisor, method).remote(*args)

    async def _describe(self) -> dict[str, Any]:
        try:
            described: dict[str, Any] = await self.call("describe")
        except RayActorError as error:
            self.give_up()
            raise SupervisorLostError(
                f"The supervisor of pipeline '{self.name}' died ({type(error).__name__}).",
                hint="Close this deployment and open a new one.",
            ) from error
        return {
            "runtime": "ray",
            **described,
            "calls_to_supervisor": self._calls,
        }

    async def _open(self) -> None:
        # On this thread: Ray installs its signal handlers from the main thread only. Starting Ray
        # blocks the event loop for seconds, once per process.
        _ensure_ray()
        self._node = _this_node()
        self._is_lost = False
        supervisor = actor_class(Supervisor, self._settings.max_pending_calls)
        self._supervisor = supervisor.remote(
            self.plan, self._code, self._settings, self._store_path
        )
        try:
            failures: dict[str, Failure] = await self.call("open")
        except RayError as error:
            raise SupervisorLostError(
                f"The supervisor of pipeline '{self.name}' did not start: "
                f"{describe_exception(error)}"
            ) from error
        if failures:
            stage, failure = next(iter(failures.items()))
            if not stage:
                raise open_exception(failure)
            raise setup_error(self.name, stage, failure)

    @property
    def is_lost(self) -> bool:
        """Its supervisor died, or its Ray is not the one of this process any more."""
        return self._is_lost or (self._node is not None and self._node != _this_node())

    def give_up(self) -> None:
        """Take no more runs; end the supervisor, which may only have been out of reach."""
        self._is_lost = True
        ray.kill(self._supervisor)

    async def _close(self) -> None:
        if self._supervisor is None or self._node != _this_node():
            return  # there is none, or it went with its Ray
        limit_s = 3 * self._settings.stop_timeout_s + _CLOSE_MARGIN_S
        answer = asyncio.wrap_future(self.call("close").future())
        try:
            await asyncio.wait_for(answer, limit_s)
            # Their reports are on the way; only then may it be killed.
            await self._conclude_runs(self._settings.stop_timeout_s)
        except (RayError, TimeoutError) as error:
            logger.warning(
                "The supervisor of pipeline '%s' did not close by itself: %s.",
                self.name,
                type(error).__name__,
            )
        finally:
            ray.kill(self._supervisor)

    def _launch(self, context: PipelineContext, keys: Mapping[int, StageKey]) -> RunHandle:
        # Unique even where two runs share a pipeline_run_id.
        run = f"{self._id}-{next(self._numbers)}"
        return _RayRunHandle(self, run, context, keys, self._settings)


class _RayRunHandle(RunHandle):
    def __init__(
        self,
        deployment: RayDeployment,
        run: str,
        context: PipelineContext,
        keys: Mapping[int, StageKey],
        settings: Settings,
    ) -> None:
        self._deployment = deployment
        self._run = run
        request = RunRequest(
            run=run,
            view=view_to_payload(seal_view(context.view)),
            started_ms=context.timer.pipeline_start_ms,
            cancelled=context.cancellation.reason,
            limit_s=context.limit_s,
            keys=keys,
            has_hooks=bool(context.start_hooks),
        )
        self._report = deployment.call("run", pack(request))
        super().__init__(deployment.plan, context, deployment.pump, settings, deployment.execution)

    async def _fetch_report(self) -> RunReport:
        return cast("RunReport", unpack(await self._report))

    async def _fetch_events(self, after: int) -> tuple[Sequence[Event], bool]:
        try:
            return cast(
                "tuple[Sequence[Event], bool]",
                await self._deployment.call("events", self._run, after),
            )
        except RayError:
            return (), True  # the report will not come either, and says why

    async def _fetch_questions(self) -> Questions:
        try:
            found: Questions = await self._deployment.call("questions", self._run)
        except RayError:
            return (), True  # the report will not come either, and says why
        return found

    def _send_answer(self, number: int, receipt: Receipt | None) -> None:
        packed = None if receipt is None else pack(to_wire(receipt))
        self._deployment.call("answer", self._run, number, packed)

    async def _fetch_failure(self, stage: str) -> Failure | None:
        try:
            found: Failure | None = await self._deployment.call("failure_of", self._run, stage)
        except RayError:
            return None
        return found

    def _send_cancel(self, reason: str) -> None:
        self._deployment.call("cancel", self._run, reason)

    def _fault(self, error: Exception) -> RuntimeFault:
        if not isinstance(error, RayActorError):
            return super()._fault(error.cause if isinstance(error, RayTaskError) else error)
        self._deployment.give_up()
        return SupervisorLostError(
            f"The supervisor of pipeline '{self._pipeline}' died during the run "
            f"({type(error).__name__}).",
            hint="Which stages had finished is unknown. Run again on a new deployment.",
        )


def _this_node() -> str | None:
    """The Ray node that this process is on; another one after every start of Ray."""
    return ray.get_runtime_context().get_node_id() if ray.is_initialized() else None


def _ensure_ray() -> None:
    with _STARTING_RAY:
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
