"""Calling cleanups: newest first, each once, each within a limit; what they raise is reported."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from typing import Any

from stageflow_actors.errors import describe_exception
from stageflow_actors.model.cleanup import Cleanup, CleanupFailure, Cleanups, name_of

logger = logging.getLogger("stageflow_actors")


async def clean_up(cleanups: Cleanups, limit_s: float, stage: str | None) -> list[CleanupFailure]:
    """Call them all on this event loop; those that failed."""
    failures = []
    while (cleanup := cleanups.pop()) is not None:
        error = await limited(cleanup, limit_s)
        if error is not None:
            failures.append(_failure(cleanup, error, stage))
    return failures


def clean_up_in_thread(
    cleanups: Cleanups, limit_s: float, stage: str | None, loop: asyncio.AbstractEventLoop
) -> list[CleanupFailure]:
    """Call them all in this thread, awaiting on ``loop`` what has to be awaited."""
    failures = []
    while (cleanup := cleanups.pop()) is not None:
        error = _called(cleanup, limit_s, loop)
        if error is not None:
            failures.append(_failure(cleanup, error, stage))
    return failures


def _called(
    cleanup: Cleanup, limit_s: float, loop: asyncio.AbstractEventLoop
) -> BaseException | None:
    try:
        returned = cleanup()
    except BaseException as error:
        return error
    if not inspect.isawaitable(returned):
        return None
    return asyncio.run_coroutine_threadsafe(limited(lambda: returned, limit_s), loop).result()


async def limited(cleanup: Callable[[], Any], limit_s: float) -> BaseException | None:
    """What calling and awaiting ``cleanup`` raises, as a value.

    One that takes too long is told to stop. In a task of its own: it may cancel the one it is in.
    """
    task = asyncio.ensure_future(_captured(cleanup))
    try:
        done, _late = await asyncio.wait({task}, timeout=limit_s)
        if done:
            return asyncio.CancelledError() if task.cancelled() else task.result()
        task.cancel()
        await asyncio.wait({task}, timeout=limit_s)
    except asyncio.CancelledError:
        task.cancel()
        raise
    return TimeoutError(f"not done within {limit_s:g} s")


async def _captured(cleanup: Callable[[], Any]) -> BaseException | None:
    """As a value, since some of what it may raise would end the event loop itself."""
    try:
        returned = cleanup()
        if inspect.isawaitable(returned):
            await returned
    except BaseException as error:
        return error
    return None


def _failure(cleanup: Cleanup, error: BaseException, stage: str | None) -> CleanupFailure:
    failure = CleanupFailure(
        stage, name_of(cleanup), type(error).__qualname__, describe_exception(error)
    )
    whose = f"stage '{stage}'" if stage else "the run"
    logger.warning("Cleanup %s of %s failed: %s: %s", failure.cleanup, whose, *failure[2:])
    return failure
