"""``Deployment``: a pipeline that is up, ready to take runs. The same face for every runtime."""

from __future__ import annotations

import asyncio
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self, cast

from stageflow_actors.actors.doors import door_of
from stageflow_actors.actors.feed import Feed, RunLabels
from stageflow_actors.actors.gauges import Gauges, Sight
from stageflow_actors.actors.handle import RunHandle
from stageflow_actors.actors.mapping import RunMap
from stageflow_actors.actors.messages import StageKey
from stageflow_actors.errors import DeploymentClosedError
from stageflow_actors.model.context import RunContext
from stageflow_actors.model.events import Event
from stageflow_actors.model.pipeline_context import PipelineContext, to_pipeline_context
from stageflow_actors.model.policies.execution import ExecutionMode
from stageflow_actors.model.results import PipelineResults, RunResult
from stageflow_actors.model.snapshot import ContextSnapshot
from stageflow_actors.model.stats import DeploymentStats
from stageflow_actors.ports import Deployable

RunInput = str | Mapping[str, Any] | RunContext | ContextSnapshot
"""What ``map`` takes per run: an ``input_text``, the parts of a context, or a context."""


class Deployment(ABC):
    """An open deployment. Use it as ``async with runtime.deploy(pipeline) as app``."""

    def __init__(self, pipeline: Deployable, feed: Feed) -> None:
        self.plan = pipeline.plan
        self.execution = pipeline.execution
        self.feed = feed
        self._measures = feed.know(pipeline)
        self._gauges = Gauges(self.plan.name, feed, self._look)
        self._door = door_of(pipeline)
        self._is_open = False
        self._closing: asyncio.Task[None] | None = None
        self._reopening: Future[None] | None = None
        self._reopening_task: asyncio.Task[None] | None = None
        self._lock = threading.Lock()
        self._live: set[RunHandle] = set()
        self._forget = self._live.discard  # one for all

    @property
    def name(self) -> str:
        """Name of the pipeline."""
        return self.plan.name

    @property
    def is_open(self) -> bool:
        """Whether it takes runs."""
        return self._is_open

    @property
    def is_lost(self) -> bool:
        """Whether what it runs on is gone, so that no run of it can succeed any more."""
        return False

    async def open(self) -> Self:
        """Start every stage, in parallel, and run their ``setup``. Does nothing if open.

        Raises:
            DeploymentError: a stage could not be started; the others are stopped again.
        """
        if not self._is_open:
            try:
                await self._open()
            except BaseException:
                await asyncio.shield(self._close())  # whoever was set up is torn down
                raise
            self._is_open = True
            self._gauges.follow()
        return self

    async def close(self) -> None:
        """Cancel what runs, run ``teardown`` of every stage, and stop. Does nothing if closed."""
        if self._is_open:
            self._is_open = False
            if self._reopening is not None:  # or nobody would close what it opens
                await asyncio.wait({asyncio.wrap_future(self._reopening)})
            self._closing = asyncio.ensure_future(self._close_down())
        if self._closing is not None:
            await asyncio.shield(self._closing)  # every caller waits for the one close

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def start(
        self,
        ctx: RunContext | ContextSnapshot | None = None,
        /,
        **parts: Any,
    ) -> RunHandle:
        """Start a run and return at once. Takes a context, or its parts as ``input_text="Hi"``.

        Where what the deployment runs on is lost, it is opened anew first.

        Raises:
            DeploymentClosedError: the deployment is not open.
            DeploymentError: it was lost, and cannot be opened anew.
            InvalidRunInputError: a context and parts were given.
            StageContractError: the input breaks the ``input_model`` of a first stage.
            AuthenticationError, TenantAccessDeniedError: the run may not be started.
        """
        self._check_open()
        if self.is_lost:
            await self._reopen_once()
        if ctx is None:
            parts.setdefault("topology", self.name)
        context = to_pipeline_context(ctx, parts)
        context.start_clock()
        context = self.feed.begin(context, self._measures, self.name)
        context, keys = await self._door.enter(context, self._tell)
        self._check_open()  # it may have been closed meanwhile
        self._gauges.follow()
        return self._hold(self._launch(context, keys))

    def _hold(self, handle: RunHandle) -> RunHandle:
        self._live.add(handle)  # a run goes on even if nobody keeps its handle
        handle.when_done(self._forget)
        return handle

    async def run(
        self,
        ctx: RunContext | ContextSnapshot | None = None,
        /,
        **parts: Any,
    ) -> PipelineResults:
        """Run once and return the outputs. If the caller is cancelled, so is the run, to its end.

        In mode ``FAIL_FAST_ASYNC`` it returns the ``RunHandle`` at once instead, and raises nothing
        of the run; ``start`` does so in every mode.

        Raises:
            StageExecutionError: a stage failed or timed out; ``.results`` has what finished.
            PipelineCancelled: the run was cancelled; ``.results`` has what finished.
            DeploymentClosedError: the deployment is not open.
        """
        handle = await self.start(ctx, **parts)
        if self.execution.mode is ExecutionMode.FAIL_FAST_ASYNC:
            return cast("PipelineResults", handle)
        try:
            result = await handle.result()
        except asyncio.CancelledError:
            await handle.cancel("the caller was cancelled")
            await handle.result()
            raise
        return result.raise_for_status().outputs

    async def map(
        self, inputs: Iterable[RunInput] | AsyncIterable[RunInput], *, concurrency: int = 8
    ) -> AsyncGenerator[tuple[int, RunResult]]:
        """Run once per input, at most ``concurrency`` at a time; yield as they end.

        Yields the position of the input and its result, which is never an exception. Leaving the
        loop early cancels the runs that are still going on. An input that cannot start a run, or a
        source that raises, ends the mapping with that exception, once the runs before it are done.

        Raises:
            ValueError: ``concurrency`` is less than 1.
        """
        if concurrency < 1:
            raise ValueError(f"concurrency must be at least 1, got {concurrency}.")
        async with aclosing(RunMap(inputs, self._start_one, concurrency).results()) as results:
            async for index, result in results:
                yield index, result

    def _tell(self, context: PipelineContext, type_: str, data: Mapping[str, Any]) -> None:
        """Tell the sink of a check, before the run's own events."""
        told = Event(type_, 0, time.time(), None, None, data)
        labels = RunLabels(context.snapshot, context.ancestry, context.trace)
        self.feed.submit(labels, [told])

    def _live_here(self) -> list[RunHandle]:
        """The live runs of this event loop."""
        return [handle for handle in self._live if handle.is_here]

    async def _conclude(self, runs: Sequence[RunHandle], limit_s: float) -> None:
        """Give runs the time to have their results."""
        results = [asyncio.ensure_future(handle.result()) for handle in runs]
        if results:
            _done, late = await asyncio.wait(results, timeout=limit_s)
            for result in late:
                result.cancel()

    async def _start_one(self, item: RunInput) -> RunHandle:
        if isinstance(item, str):
            return await self.start(input_text=item)
        if isinstance(item, Mapping):
            return await self.start(**item)
        return await self.start(item)

    async def describe(self) -> dict[str, Any]:
        """What is deployed and where: pipeline, runtime, stages, processes, counters.

        Raises:
            DeploymentClosedError: the deployment is not open.
        """
        self._check_open()
        return {"pipeline": self.name, **await self._describe()}

    async def stats(self) -> DeploymentStats:
        """What goes on, in numbers: runs, and of each stage its load, and what it has done so far.

        Raises:
            DeploymentClosedError: the deployment is not open.
            SupervisorLostError: its supervisor died; the next run opens it anew.
        """
        self._check_open()
        return await self._stats()

    async def _reopen_once(self) -> None:
        """However many ask for it, on whatever event loops, one opens."""
        with self._lock:
            reopening = self._reopening
            if reopening is None:
                reopening = self._reopening = Future()
                self._reopening_task = asyncio.ensure_future(self._reopen_for(reopening))
        await asyncio.shield(asyncio.wrap_future(reopening))
        self._check_open()

    async def _reopen_for(self, waiting: Future[None]) -> None:
        try:
            await self._reopen()
        except BaseException as error:
            self._reopening = None
            waiting.set_exception(error)
            if not isinstance(error, Exception):
                raise
        else:
            self._reopening = None
            waiting.set_result(None)

    async def _reopen(self) -> None:
        """Open anew what was lost."""
        await self._open()

    async def _close_down(self) -> None:
        try:
            await self._gauges.close()
        finally:
            await self._close()

    async def _look(self) -> Sequence[Sight]:
        """What gauges say: a look that changes nothing, whatever it finds."""
        return [Sight((), self.plan, self._measures, await self._describe())]

    def _check_open(self) -> None:
        if not self._is_open:
            raise DeploymentClosedError(
                f"Deployment of pipeline '{self.name}' is not open.",
                hint="Use it inside 'async with runtime.deploy(pipeline) as app'.",
            )

    @abstractmethod
    async def _describe(self) -> dict[str, Any]: ...

    @abstractmethod
    async def _stats(self) -> DeploymentStats: ...

    @abstractmethod
    async def _open(self) -> None: ...

    @abstractmethod
    async def _close(self) -> None: ...

    @abstractmethod
    def _launch(self, context: PipelineContext, keys: Mapping[int, StageKey]) -> RunHandle: ...
