"""Waiting in a task that may be told to stop, by those who ask for it or by its own body."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Coroutine
from concurrent.futures import Future
from typing import Any

from stageflow_actors.model.stage_context import StageContext


async def carried_through(work: Coroutine[Any, Any, Any]) -> Any:
    """Wait for something whatever happens to whoever waits: it is not theirs to end."""
    task = asyncio.ensure_future(work)
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise
    return task.result()


async def interruptible(
    body: Awaitable[Any], ctx: StageContext, loop: asyncio.AbstractEventLoop
) -> Any:
    """Await ``body`` in the current task of ``loop``, which a request to stop cancels."""
    task = asyncio.current_task(loop)
    assert task is not None, "stages are executed in tasks"
    cancellation, cancel = ctx.cancellation, task.cancel
    cancellation.watch(cancel)
    try:
        return await body
    finally:
        cancellation.unwatch(cancel)
        if task.cancelling() and not ctx.is_cancelled:
            await forget_own_cancel()


async def revocable(body: Future[Any], ctx: StageContext) -> Any:
    """Await what a thread does; a request to stop takes it back if it has not begun."""

    def take_back(_reason: str) -> None:
        body.cancel()

    ctx.cancellation.watch(take_back)
    try:
        return await asyncio.wrap_future(body)
    finally:
        ctx.cancellation.unwatch(take_back)


def is_being_cancelled() -> bool:
    """Whether somebody has cancelled the current task, and nobody has taken that back."""
    task = asyncio.current_task()
    return task is not None and bool(task.cancelling())


async def forget_own_cancel() -> None:
    """A body that cancelled the task it runs in must not take its receipt along."""
    task = asyncio.current_task()
    if task is None or not task.cancelling():
        return
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(0)
    while task is not None and task.uncancel():
        pass
