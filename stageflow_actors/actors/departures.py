"""``Departures``: processes that have no work any more, until their ``teardown`` has run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from stageflow_actors.actors.posts import Post
from stageflow_actors.actors.stage_process import StageProcess


class Departures:
    """``left`` is called when one has been ended."""

    def __init__(self, left: Callable[[StageProcess], None]) -> None:
        self._left = left
        self._leaving: set[asyncio.Task[None]] = set()

    def see_off(self, post: Post, process: StageProcess) -> None:
        """Run its ``teardown``, within the time limit, then end it."""
        post.leaving.append(process)
        leaving = asyncio.ensure_future(self._see_off(post, process))
        self._leaving.add(leaving)  # the loop itself holds tasks only weakly
        leaving.add_done_callback(self._leaving.discard)

    async def finish(self) -> None:
        """Wait for those under way."""
        if self._leaving:
            await asyncio.wait(set(self._leaving))

    async def _see_off(self, post: Post, process: StageProcess) -> None:
        await process.teardown()
        process.end("it has no work any more")
        post.leaving.remove(process)
        self._left(process)
