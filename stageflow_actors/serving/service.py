"""``Service``: what stands behind the routes. Deployments, runs, and who may ask."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import NamedTuple

from stageflow_actors.actors.deployment import Deployment
from stageflow_actors.actors.runtime import Runtime
from stageflow_actors.errors import StageflowError
from stageflow_actors.model.pipeline_context import PipelineContext
from stageflow_actors.security import AuthInterceptor
from stageflow_actors.serving.bodies import RunBody
from stageflow_actors.serving.callers import Caller, Gate
from stageflow_actors.serving.faults import Fault, ProblemError
from stageflow_actors.serving.problems import problem_of
from stageflow_actors.serving.records import RunRecord, refusal_of
from stageflow_actors.serving.run_book import BookStats, RunBook
from stageflow_actors.serving.served import ServedPipeline
from stageflow_actors.serving.settings import ServingSettings

_CLOSING = "the service is shutting down"
_SOON_S = 1.0


class ServiceStats(NamedTuple):
    """Runs, and how many streams there are and were closed because nobody read them."""

    runs: BookStats
    streams: int
    closed_unread: int
    dropped_stalled: int


class Service:
    """The pipelines of one application while it is up; made with it, opened by its lifespan."""

    def __init__(
        self,
        pipelines: Mapping[str, ServedPipeline],
        runtime: Runtime,
        gate: Gate,
        settings: ServingSettings,
    ) -> None:
        self.pipelines = pipelines
        self.gate = gate
        self.settings = settings
        self.book = RunBook(settings)
        self.closed_unread = 0
        self.dropped_stalled = 0
        self.startup_error: StageflowError | None = None
        self._runtime = runtime
        self._deployments: dict[str, Deployment] = {}
        self._streams: Counter[str] = Counter()
        self._is_taking = False

    @property
    def is_ready(self) -> bool:
        """Whether it takes runs of every pipeline."""
        return self._is_taking and all(each.is_open for each in self._deployments.values())

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Every deployment is up inside; at the end live runs have ``drain_s`` to come to theirs.

        Raises:
            DeploymentError: a stage could not be started.
        """
        async with AsyncExitStack() as stack:
            deployments = {
                name: self._runtime.deploy(served.graph) for name, served in self.pipelines.items()
            }
            for each in deployments.values():
                stack.push_async_exit(each)  # closing does nothing to one that never opened
            opening = [asyncio.create_task(each.open()) for each in deployments.values()]
            try:
                await asyncio.gather(*opening)
            except StageflowError as error:
                self.startup_error = error
                await asyncio.wait(opening)
                raise
            sweeping = asyncio.create_task(self._sweep())
            self._deployments = deployments
            self._is_taking = True
            try:
                yield
            finally:
                self._is_taking = False
                sweeping.cancel()
                await self._drain()

    def served(self, name: str) -> ServedPipeline:
        """The pipeline of that name.

        Raises:
            ProblemError: none was registered under it.
        """
        try:
            return self.pipelines[name]
        except KeyError:
            raise ProblemError(Fault.PIPELINE_UNKNOWN) from None

    async def start(
        self, name: str, caller: Caller, body: RunBody, timeout_s: float | None
    ) -> RunRecord:
        """Start a run of ``caller``'s. It goes on whatever becomes of the request.

        Raises:
            ProblemError: it cannot be started.
        """
        served = self.served(name)
        self._check_room(caller)
        deployment = self._deployments[name]
        try:
            context = _context_of(served, caller, body, timeout_s)
            handle = await deployment.start(context)
        except StageflowError as error:
            raise problem_of(error) from error
        record = RunRecord(
            name,
            caller.tenant,
            handle,
            max_event_bytes=self.settings.max_event_bytes,
            reveal=self.settings.reveal_failures,
        )
        self.book.add(record)
        if handle.is_done:
            refusal = refusal_of(await handle.result())
            if refusal is not None:
                self.book.forget(record)
                raise problem_of(refusal)
        record.conclude(self.book.ended)
        return record

    @contextmanager
    def streaming(self, tenant: str) -> Iterator[None]:
        """Counts a stream of events while it lasts.

        Raises:
            ProblemError: ``tenant`` reads as many as it may.
        """
        if self._streams[tenant] >= self.settings.max_streams_per_tenant:
            raise ProblemError(Fault.TOO_MANY_STREAMS, retry_after_s=_SOON_S)
        self._streams[tenant] += 1
        try:
            yield
        finally:
            self._streams[tenant] -= 1
            if not self._streams[tenant]:
                del self._streams[tenant]

    def stats(self) -> ServiceStats:
        """What goes on, in numbers."""
        streams = sum(self._streams.values())
        return ServiceStats(self.book.stats(), streams, self.closed_unread, self.dropped_stalled)

    def _check_room(self, caller: Caller) -> None:
        if not self._is_taking:
            raise ProblemError(Fault.NOT_READY, retry_after_s=_SOON_S)
        if self.book.live_of(caller.tenant) >= self.settings.max_live_runs_per_tenant:
            raise ProblemError(Fault.TOO_MANY_RUNS, retry_after_s=_SOON_S)

    async def _drain(self) -> None:
        """Let live runs end; those that do not are cancelled, here or where their stages are."""
        until = time.monotonic() + self.settings.drain_s
        endings = self._endings()
        if endings:
            await asyncio.wait(endings, timeout=max(0.0, until - time.monotonic()))
        for record in self.book.live():
            await record.cancel(_CLOSING)

    def _endings(self) -> list[asyncio.Task[object]]:
        endings = [record.ending for record in self.book.live()]
        return [each for each in endings if each is not None]

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self.settings.sweep_s)
            self.book.sweep()


def _context_of(
    served: ServedPipeline, caller: Caller, body: RunBody, timeout_s: float | None
) -> PipelineContext:
    parts = body.parts()
    if any(isinstance(each, AuthInterceptor) for each in served.graph.admissions):
        # The pipeline has a check of its own, which takes the token away again.
        parts["data"] = {**body.data, "_auth_token": caller.token}
    return PipelineContext.create(
        **parts,
        topology=served.graph.name,
        user_id=caller.user_id,
        org_id=caller.org_id,
        timeout=timeout_s,
    )
