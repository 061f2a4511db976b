"""``RunMap``: many runs of one deployment, a bounded number at a time, as they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import Generic, TypeVar

from stageflow_actors.actors.handle import RunHandle
from stageflow_actors.model.results import RunResult

Item = TypeVar("Item")


class RunMap(Generic[Item]):
    """Starts a run per item of a source, at most ``concurrency`` at a time.

    An item that cannot start a run, and a source that raises, end the map with that exception, once
    the runs before it are done.
    """

    def __init__(
        self,
        source: Iterable[Item] | AsyncIterable[Item],
        start: Callable[[Item], Awaitable[RunHandle]],
        concurrency: int,
    ) -> None:
        self._items = _as_async(source)
        self._start = start
        self._concurrency = concurrency
        self._started = 0
        self._running: dict[asyncio.Task[RunResult], tuple[int, RunHandle]] = {}
        self._next: asyncio.Task[Item] | None = None
        self._is_exhausted = False
        self._refused: Exception | None = None

    async def results(self) -> AsyncGenerator[tuple[int, RunResult]]:
        """Position of the item and result of its run, as the runs end."""
        async with aclosing(self._items):
            try:
                while awaited := self._awaited():
                    done, _pending = await asyncio.wait(
                        awaited, return_when=asyncio.FIRST_COMPLETED
                    )
                    for task in [task for task in self._running if task in done]:
                        yield self._running.pop(task)[0], task.result()
                    if self._next in done:
                        await self._start_next()
                if self._refused is not None:
                    raise self._refused
            finally:
                await self._stop()

    def _awaited(self) -> set[asyncio.Task[RunResult] | asyncio.Task[Item]]:
        """The runs, and the next item where there is room for its run."""
        has_room = len(self._running) < self._concurrency
        if self._next is None and has_room and not self._is_exhausted:
            self._next = asyncio.ensure_future(_next_of(self._items))
        return {*self._running} if self._next is None else {*self._running, self._next}

    async def _start_next(self) -> None:
        assert self._next is not None
        arrived, self._next = self._next, None
        try:
            handle = await self._start(arrived.result())
        except StopAsyncIteration:
            self._is_exhausted = True
        except Exception as refused:
            self._is_exhausted, self._refused = True, refused
        else:
            self._running[asyncio.ensure_future(handle.result())] = self._started, handle
            self._started += 1

    async def _stop(self) -> None:
        """Cancel what still runs, and wait for its end."""
        if self._next is not None:
            self._next.cancel()
            await asyncio.wait([self._next])
        for _index, handle in self._running.values():
            await handle.cancel("the caller of map() left")
        if self._running:
            await asyncio.wait(self._running)


async def _as_async(source: Iterable[Item] | AsyncIterable[Item]) -> AsyncGenerator[Item]:
    if isinstance(source, AsyncIterable):
        async for item in source:
            yield item
    else:
        for item in source:
            yield item


async def _next_of(items: AsyncGenerator[Item]) -> Item:
    return await anext(items)
