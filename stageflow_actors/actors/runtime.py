"""``Runtime``: what every runtime offers: it deploys pipelines and feeds their events to a sink."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from stageflow_actors.actors.deployment import Deployment
from stageflow_actors.actors.event_pump import EventPump, PumpStatistics
from stageflow_actors.actors.observation import DEFAULT_SINK
from stageflow_actors.model.pipeline_context import PipelineContext
from stageflow_actors.model.results import PipelineResults
from stageflow_actors.model.settings import Settings
from stageflow_actors.ports import Deployable, EventSink


class Runtime(ABC):
    """A place for pipelines to run.

    Events go to ``event_sink``, or to the default sink of the process where none is given.
    """

    def __init__(
        self, *, settings: Settings | None = None, event_sink: EventSink | None = None
    ) -> None:
        self.settings = settings or Settings()
        self._own_pump = (
            None if event_sink is None else EventPump(event_sink, self.settings.max_queued_events)
        )

    def _pump(self) -> EventPump:
        return self._own_pump or DEFAULT_SINK.pump()

    @abstractmethod
    def deploy(self, pipeline: Deployable) -> Deployment:
        """A deployment of ``pipeline``, to be opened with ``async with``.

        Raises:
            PipelineValidationError: the stages do not form a pipeline.
            DeploymentError: a stage cannot be shipped to where it runs.
        """

    @abstractmethod
    async def run_once(self, pipeline: Deployable, context: PipelineContext) -> PipelineResults:
        """Run once on a deployment of the runtime's own; see ``Deployment.run`` for its errors."""

    async def close(self) -> None:
        """Let the runtime's own sink have its events, and close what ``run_once`` keeps open."""
        if self._own_pump is not None:
            await asyncio.to_thread(self._own_pump.close, self.settings.stop_timeout_s)

    async def flush_events(self, timeout_s: float = 5.0) -> bool:
        """Wait until the sink has had every event so far; ``False`` if that took too long."""
        return await asyncio.to_thread(self._pump().flush, timeout_s)

    def event_statistics(self) -> PumpStatistics:
        """What has become of the events for the sink."""
        return self._pump().statistics

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
