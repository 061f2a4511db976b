"""``RayRuntime``: pipelines on Ray, one supervisor actor per deployment."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from stageflow_actors.actors.codec import Payload, encode
from stageflow_actors.actors.deployment import Deployment
from stageflow_actors.actors.doors import door_of
from stageflow_actors.actors.ray_children import ChildPackage
from stageflow_actors.actors.ray_connection import RayConnection
from stageflow_actors.actors.ray_deployment import RayDeployment
from stageflow_actors.actors.registry import RegistrySource
from stageflow_actors.actors.runtime import Runtime
from stageflow_actors.actors.stores import StoreSource
from stageflow_actors.actors.warm import WarmDeployments
from stageflow_actors.actors.wiring import WiredStage, wire
from stageflow_actors.errors import DeploymentError, describe_exception
from stageflow_actors.model.settings import Settings
from stageflow_actors.ports import Deployable, EventSink
from stageflow_actors.telemetry.recorder import RECORDERS, Recorder


class RayRuntime(Runtime):
    """Runs pipelines on Ray: on the one this process is connected to, else on a new local one.

    ``address`` is that of a running Ray, HOST:PORT, or ``"local"`` for a new one and nothing else;
    without it, ``RAY_ADDRESS`` says where a process that is not connected yet goes. ``code`` are
    the packages, modules or wheels of the stages, for machines that do not have them installed.

    Its supervisors open the idempotency store, each for itself: a path is shared between them, on
    one machine; without one each keeps the answers of its own deployment.

    Raises:
        DeploymentError: ``idempotency_store`` is no path (``DEPLOYMENT-STORE``), or ``code`` is
            not there.
        RayStartError: ``address`` is none.
    """

    def __init__(
        self,
        *,
        settings: Settings | None = None,
        event_sink: EventSink | None = None,
        idempotency_store: StoreSource = None,
        registry: RegistrySource = None,
        address: str | None = None,
        code: Path | str | Sequence[Path | str] | None = None,
    ) -> None:
        super().__init__(
            settings=settings,
            event_sink=event_sink,
            idempotency_store=idempotency_store,
            registry=registry,
        )
        if idempotency_store is not None and not isinstance(idempotency_store, (str, os.PathLike)):
            raise DeploymentError(
                f"{type(idempotency_store).__name__} cannot be used by a supervisor.",
                hint="On Ray it opens the store in its own process: give a path.",
                code="DEPLOYMENT-STORE",
            )
        self._store_path = None if idempotency_store is None else os.fspath(idempotency_store)
        self._connection = RayConnection(address, code, forks=self.settings.fork_processes)
        self._warm = WarmDeployments(self.settings.max_idle_deployments)
        if self.settings.ray_metrics:
            self._feed.metering.record_also(_ray_recorder())

    def deploy(self, pipeline: Deployable) -> Deployment:
        return self._deployment(pipeline, pack_code(pipeline))

    def _lend(self, pipeline: Deployable) -> AbstractAsyncContextManager[Deployment]:
        """One that stays warm for the next run of the same pipeline."""
        code = pack_code(pipeline)
        return self._warm.borrow(
            pipeline, code, len(self.registry), lambda: self._deployment(pipeline, code)
        )

    async def _close_kept(self) -> None:
        await self._warm.close()

    def _deployment(self, pipeline: Deployable, code: Sequence[Payload]) -> RayDeployment:
        return RayDeployment(
            pipeline,
            code,
            self.settings,
            self._feed,
            self._store_path,
            self._packages(),
            self._connection,
        )

    def _packages(self) -> dict[str, ChildPackage]:
        """Everything that is registered now, ready to travel."""
        registered = dict(self.registry.items())
        for pipeline in registered.values():
            self._feed.know(pipeline)
        return {name: _package(pipeline) for name, pipeline in registered.items()}


def _ray_recorder() -> Recorder:
    from stageflow_actors.actors.ray_metrics import RayRecorder  # only who wants it loads it

    return RECORDERS.of(RayRecorder, RayRecorder)


def pack_code(pipeline: Deployable) -> list[Payload]:
    """The code of each stage as bytes: by reference where importable, else by value.

    Raises:
        DeploymentError: a stage cannot be pickled; ``stage`` names it.
    """
    return [_pack(pipeline.plan.name, stage) for stage in wire(pipeline)]


def _package(pipeline: Deployable) -> ChildPackage:
    try:
        door = encode(door_of(pipeline))
    except Exception as error:
        raise DeploymentError(
            f"What pipeline '{pipeline.plan.name}' checks cannot be pickled: "
            f"{type(error).__name__}: {describe_exception(error)}.",
            hint="Its admissions, input models and on_stage_error go where a stage spawns it.",
            code="DEPLOYMENT-UNPICKLABLE",
        ) from error
    return ChildPackage(pipeline.plan, pack_code(pipeline), door)


def _pack(pipeline: str, stage: WiredStage) -> Payload:
    try:
        return encode(stage)
    except Exception as error:
        raise DeploymentError(
            f"Stage '{stage.spec.name}' of pipeline '{pipeline}' cannot be pickled: "
            f"{type(error).__name__}: {describe_exception(error)}.",
            stage=stage.spec.name,
            hint="Open connections, locks and files in setup(), which runs in the stage's process.",
            code="DEPLOYMENT-UNPICKLABLE",
        ) from error
