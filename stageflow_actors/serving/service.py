"""``Service``: what stands behind the routes: the desks, and who may ask at them."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any, TypeVar

from stageflow_actors.errors import StageflowError
from stageflow_actors.serving.callers import Gate
from stageflow_actors.serving.desk import Desk, Entries, Reading, RunOrder, Shown
from stageflow_actors.serving.faults import SOON_S, Fault, ProblemError
from stageflow_actors.serving.room import Room
from stageflow_actors.serving.served import ServedPipeline
from stageflow_actors.serving.settings import ServingSettings

_MAX_PLACES = 10_000
Found = TypeVar("Found")
Desks = Callable[[], AbstractAsyncContextManager[Mapping[str, Desk]]]
"""Opens a desk for each pipeline."""


class Service:
    """The pipelines of one application while it is up; made with it, opened by its lifespan."""

    def __init__(
        self,
        pipelines: Mapping[str, ServedPipeline],
        desks: Desks,
        gate: Gate,
        settings: ServingSettings,
    ) -> None:
        self.pipelines = pipelines
        self.gate = gate
        self.settings = settings
        self.closed_unread = 0
        self.dropped_stalled = 0
        self.startup_error: StageflowError | None = None
        self._open_desks = desks
        self._desks: Mapping[str, Desk] = {}
        self._streams: Counter[str] = Counter()
        self._places: OrderedDict[str, str] = OrderedDict()
        self._held: set[asyncio.Task[Any]] = set()

    @property
    def is_ready(self) -> bool:
        """Whether it takes runs of every pipeline."""
        return bool(self._desks) and all(each.is_ready for each in self._desks.values())

    @property
    def streams(self) -> int:
        """How many streams of events are read."""
        return sum(self._streams.values())

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Every pipeline is up inside.

        Raises:
            StageflowError: one cannot be deployed.
        """
        opening = self._open_desks()
        try:
            self._desks = await opening.__aenter__()
        except StageflowError as error:
            self.startup_error = error
            raise
        try:
            yield
        finally:
            if self._held:
                await asyncio.wait(self._held, timeout=self.settings.drain_s)
            await opening.__aexit__(None, None, None)
            self._desks = {}

    def served(self, name: str) -> ServedPipeline:
        """The pipeline of that name.

        Raises:
            ProblemError: none was registered under it.
        """
        try:
            return self.pipelines[name]
        except KeyError:
            raise ProblemError(Fault.PIPELINE_UNKNOWN) from None

    def desk(self, name: str) -> Desk:
        """Where runs of that pipeline are started.

        Raises:
            ProblemError: there is no such pipeline, or the application is not up.
        """
        self.served(name)
        try:
            return self._desks[name]
        except KeyError:
            raise ProblemError(Fault.NOT_READY, retry_after_s=SOON_S) from None

    def reserve(self, name: str, tenant: str) -> Room | None:
        """As ``Desk.reserve`` of that pipeline.

        Raises:
            ProblemError: a run would not be started.
        """
        return self.desk(name).reserve(tenant)

    async def run(self, name: str, order: RunOrder, wait_s: float | None) -> Shown:
        """As ``Desk.run`` of that pipeline.

        Raises:
            ProblemError: it cannot be started.
        """
        shown = await self.desk(name).run(order, wait_s)
        self._note(str(shown.run_id), name)
        return shown

    async def look(self, run_id: str, tenant: str) -> Shown:
        """The run of that id.

        Raises:
            ProblemError: ``tenant`` has none, or it is not kept any more.
        """
        return await self._found(run_id, lambda desk: desk.look(run_id, tenant))

    async def cancel(self, run_id: str, tenant: str) -> Shown:
        """Ask a run to stop.

        Raises:
            ProblemError: ``tenant`` has none, or it has ended.
        """
        return await self._found(run_id, lambda desk: desk.cancel(run_id, tenant))

    async def read(self, reading: Reading) -> Entries:
        """The next entries of a run.

        Raises:
            ProblemError: there is no such run of that tenant, or no such entry.
        """
        return await self._found(reading.run_id, lambda desk: desk.read(reading))

    async def leave(self, run_id: str, reader: str) -> None:
        """A reader that paced a run is gone."""
        for name in self._where(run_id):
            await self._desks[name].leave(run_id, reader)

    def hold(self, work: Coroutine[Any, Any, Found]) -> asyncio.Task[Found]:
        """``work`` in a task that goes on when whoever asked for it is gone, or was cancelled."""
        task = asyncio.create_task(work)
        self._held.add(task)
        task.add_done_callback(self._held.discard)
        return task

    @contextmanager
    def streaming(self, tenant: str) -> Iterator[None]:
        """Counts a stream of events while it lasts.

        Raises:
            ProblemError: ``tenant`` reads as many as it may.
        """
        if self._streams[tenant] >= self.settings.max_streams_per_tenant:
            raise ProblemError(Fault.TOO_MANY_STREAMS, retry_after_s=SOON_S)
        self._streams[tenant] += 1
        try:
            yield
        finally:
            self._streams[tenant] -= 1
            if not self._streams[tenant]:
                del self._streams[tenant]

    async def _found(self, run_id: str, ask: Callable[[Desk], Awaitable[Found | None]]) -> Found:
        """What the desk answers that has the run."""
        for name in self._where(run_id):
            found = await ask(self._desks[name])
            if found is not None:
                self._note(run_id, name)
                return found
        raise ProblemError(Fault.RUN_UNKNOWN)

    def _where(self, run_id: str) -> list[str]:
        """The pipelines whose run it may be."""
        place = self._places.get(run_id)
        return [*self._desks] if place is None or place not in self._desks else [place]

    def _note(self, run_id: str, name: str) -> None:
        self._places[run_id] = name
        if len(self._places) > _MAX_PLACES:
            self._places.popitem(last=False)
