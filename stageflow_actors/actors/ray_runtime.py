"""``RayRuntime``: pipelines on Ray, one supervisor actor per deployment."""

from __future__ import annotations

from collections.abc import Sequence

from stageflow_actors.actors.codec import Payload, encode
from stageflow_actors.actors.deployment import Deployment
from stageflow_actors.actors.ray_deployment import RayDeployment
from stageflow_actors.actors.runtime import Runtime
from stageflow_actors.actors.warm import WarmDeployments
from stageflow_actors.actors.wiring import WiredStage, wire
from stageflow_actors.errors import DeploymentError, describe_exception
from stageflow_actors.model.pipeline_context import PipelineContext
from stageflow_actors.model.plan import Plan
from stageflow_actors.model.results import PipelineResults
from stageflow_actors.model.settings import Settings
from stageflow_actors.model.stage import StageSpec
from stageflow_actors.ports import Deployable, EventSink


class RayRuntime(Runtime):
    """Runs pipelines on Ray: on the one this process is connected to, else on a new local one."""

    def __init__(
        self, *, settings: Settings | None = None, event_sink: EventSink | None = None
    ) -> None:
        super().__init__(settings=settings, event_sink=event_sink)
        self._warm = WarmDeployments(self.settings.max_idle_deployments)

    def deploy(self, pipeline: Deployable) -> Deployment:
        return self._deployment(pipeline, pack_code(pipeline.plan, pipeline.specs))

    async def run_once(self, pipeline: Deployable, context: PipelineContext) -> PipelineResults:
        """Run on a deployment that stays warm for the next run of the same pipeline."""
        code = pack_code(pipeline.plan, pipeline.specs)
        async with self._warm.borrow(
            pipeline, code, lambda: self._deployment(pipeline, code)
        ) as app:
            return await app.run(context)

    async def close(self) -> None:
        await self._warm.close()
        await super().close()

    def _deployment(self, pipeline: Deployable, code: Sequence[Payload]) -> RayDeployment:
        return RayDeployment(pipeline, code, self.settings, self._pump)


def pack_code(plan: Plan, specs: Sequence[StageSpec]) -> list[Payload]:
    """The code of each stage as bytes: by reference where importable, else by value.

    Raises:
        DeploymentError: a stage cannot be pickled; ``stage`` names it.
    """
    return [_pack(plan.name, stage) for stage in wire(plan, specs)]


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
