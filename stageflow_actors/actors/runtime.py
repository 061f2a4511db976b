"""``Runtime``: what every runtime offers: it deploys pipelines and feeds their events to a sink."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Self, cast

from stageflow_actors.actors.deployment import Deployment
from stageflow_actors.actors.event_pump import EventPump, PumpStatistics
from stageflow_actors.actors.feed import Feed, TelemetryStatistics
from stageflow_actors.actors.handle import RunHandle
from stageflow_actors.actors.observation import DEFAULT_SINK
from stageflow_actors.actors.registry import PipelineRegistry, RegistrySource
from stageflow_actors.actors.stores import StoreHolder, StoreSource
from stageflow_actors.errors import DeploymentClosedError
from stageflow_actors.model.pipeline_context import PipelineContext
from stageflow_actors.model.policies.execution import ExecutionMode
from stageflow_actors.model.results import PipelineResults
from stageflow_actors.model.settings import Settings
from stageflow_actors.ports import Deployable, EventSink
from stageflow_actors.telemetry.environment import configure_from_environment
from stageflow_actors.telemetry.telemetry import Telemetry


class Runtime(ABC):
    """A place for pipelines to run.

    Events go to ``event_sink``, or to the default sink of the process where none is given.
    ``idempotency_store`` keeps the answers of idempotent stages: in the SQLite database at a path,
    in a store of your own, or in memory where none is given. ``registry`` has the pipelines that
    stages may spawn by name: a ``PipelineRegistry``, pipelines, or a mapping of names to them; a
    deployment knows those that are in it when it is made. ``exports`` counts what has become of the
    spans and log records of this process, where its environment has them exported.
    """

    def __init__(
        self,
        *,
        settings: Settings | None = None,
        event_sink: EventSink | None = None,
        idempotency_store: StoreSource = None,
        registry: RegistrySource = None,
    ) -> None:
        self.settings = settings or Settings()
        self.registry = (
            registry if isinstance(registry, PipelineRegistry) else PipelineRegistry(registry)
        )
        self._store = StoreHolder(idempotency_store)
        self._detached: set[asyncio.Task[None]] = set()
        self._own_pump = (
            None if event_sink is None else EventPump(event_sink, self.settings.max_queued_events)
        )
        self.exports = configure_from_environment("driver")
        self._feed = Feed(
            self._pump,
            Telemetry(self.settings.max_observed_runs),
            self.settings.max_queued_events,
            self.settings.gauges_interval_s,
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

    async def run_once(self, pipeline: Deployable, context: PipelineContext) -> PipelineResults:
        """Run once on a deployment of the runtime's own; see ``Deployment.run`` for its errors."""
        if pipeline.execution.mode is ExecutionMode.FAIL_FAST_ASYNC:
            return cast("PipelineResults", await self._run_detached(pipeline, context))
        async with self._lend(pipeline) as app:
            return await app.run(context)

    async def _run_detached(self, pipeline: Deployable, context: PipelineContext) -> RunHandle:
        """The handle of a run whose deployment stays up until it has ended."""
        started: asyncio.Future[RunHandle] = asyncio.get_running_loop().create_future()

        async def hold() -> None:
            async with self._lend(pipeline) as app:
                handle = await app.start(context)
                started.set_result(handle)
                try:
                    await handle.result()
                except asyncio.CancelledError:
                    await handle.cancel("the caller was cancelled")
                    await handle.result()
                    raise

        holding = asyncio.ensure_future(hold())
        self._detached.add(holding)  # the loop itself holds tasks only weakly
        holding.add_done_callback(self._detached.discard)
        either: set[asyncio.Future[Any]] = {started, holding}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            holding.cancel()  # nobody has its handle
            await asyncio.wait({holding})
            raise
        if not started.done() and holding.cancelled():
            raise DeploymentClosedError("The runtime was closed before the run had started.")
        if not started.done():
            await holding  # raises what kept the run from starting
        return started.result()

    @abstractmethod
    def _lend(self, pipeline: Deployable) -> AbstractAsyncContextManager[Deployment]:
        """An open deployment for one run."""

    async def close(self) -> None:
        """Cancel the runs that ``run_once`` gave the handles of, close what it keeps, and let the
        runtime's own sink have its events.
        """
        here = asyncio.get_running_loop()
        detached = [each for each in self._detached if each.get_loop() is here]
        for holding in detached:
            holding.cancel()
        if detached:
            await asyncio.wait(detached)
        await self._close_kept()
        if self._own_pump is not None:
            await asyncio.to_thread(self._own_pump.close, self.settings.stop_timeout_s)
        await asyncio.to_thread(self._feed.close, self.settings.stop_timeout_s)

    @abstractmethod
    async def _close_kept(self) -> None:
        """Close what outlives a run."""

    async def flush_events(self, timeout_s: float = 5.0) -> bool:
        """Wait until the sink has had every event so far, and so have those who make spans and
        metrics of them; ``False`` if that took too long.
        """
        return await asyncio.to_thread(self._feed.flush, timeout_s)

    def event_statistics(self) -> PumpStatistics:
        """What has become of the events for the sink."""
        return self._pump().statistics

    def telemetry_statistics(self) -> TelemetryStatistics:
        """What has become of the events that spans and metrics are made of."""
        return self._feed.telemetry_statistics

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
