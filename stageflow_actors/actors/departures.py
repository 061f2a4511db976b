"""``Departures``: processes that are to leave, until their work is done and they are torn down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from stageflow_actors.actors.posts import Post
from stageflow_actors.actors.stage_process import StageProcess
from stageflow_actors.actors.stopping import stop_in_order
from stageflow_actors.model.plan import StagePlan


class Departures:
    """``stages`` are those of the plan; all teardowns of one process may take ``limit_s``.

    ``left`` is called when one has been ended.
    """

    def __init__(
        self, stages: Sequence[StagePlan], limit_s: float, left: Callable[[StageProcess], None]
    ) -> None:
        self._stages = stages
        self._limit_s = limit_s
        self._left = left
        self._leaving: set[asyncio.Task[None]] = set()
        self._is_closing = asyncio.Event()

    def dismiss(self, post: Post, process: StageProcess) -> None:
        """Give it no more work; it leaves once it has none. Nobody takes over from it any more."""
        post.staff.remove(process)
        post.retired.append(process)
        successor = post.successors.pop(process, None)
        if successor is not None:
            self.see_off(post, successor)
        self.let_go(post, process)

    def let_go(self, post: Post, process: StageProcess) -> None:
        """See it off, if it was dismissed and has no work any more."""
        if process.live or process.ahead or process not in post.retired:
            return
        post.retired.remove(process)
        self.see_off(post, process)

    def see_off(self, post: Post, process: StageProcess) -> None:
        """Run each ``teardown``, dependents first, within the time limit, then end it."""
        post.leaving.append(process)
        leaving = asyncio.ensure_future(self._see_off(post, process))
        self._leaving.add(leaving)  # the loop itself holds tasks only weakly
        leaving.add_done_callback(self._leaving.discard)

    async def finish(self) -> None:
        """Wait for those under way, but for no ``setup``."""
        self._is_closing.set()
        if self._leaving:
            await asyncio.wait(set(self._leaving))

    async def _see_off(self, post: Post, process: StageProcess) -> None:
        await self._set_up(process)

        async def tear_down(index: int) -> None:
            if index in process.stages and process.is_ready:
                await process.teardown((index,))

        await stop_in_order(self._stages, tear_down, self._limit_s)
        process.end("it has no work any more")
        post.leaving.remove(process)
        self._left(process)

    async def _set_up(self, process: StageProcess) -> None:
        """Let a ``setup`` finish: what was half set up, nobody could tear down."""
        if not process.ready.done():
            closing = asyncio.ensure_future(self._is_closing.wait())
            await asyncio.wait({process.ready, closing}, return_when=asyncio.FIRST_COMPLETED)
            closing.cancel()
