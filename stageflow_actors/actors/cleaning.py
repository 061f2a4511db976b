"""Calling cleanups: newest first, each once, each within a limit; what they raise is reported."""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from stageflow_actors.errors import describe_exception
from stageflow_actors.model.cleanup import Cleanup, CleanupFailure, Cleanups, name_of
from stageflow_actors.model.context import RunContext
from stageflow_actors.model.stage_context import StageContext

if TYPE_CHECKING:
    from stageflow_actors.actors.receipts import Receipts

logger = logging.getLogger("stageflow_actors")


async def clean_up(
    cleanups: Cleanups,
    limit_s: float,
    ctx: RunContext,
    receipts: Receipts | None = None,
) -> list[CleanupFailure]:
    """Call them all on this event loop; those that failed.

    ``ctx`` is that of the run, or of a stage; then ``receipts`` are those of the stage.
    """
    failures = []
    while (cleanup := cleanups.pop()) is not None:
        error = await limited(cleanup, limit_s)
        if error is not None:
            failures.append(_failure(cleanup, error, ctx, receipts))
    return failures


def clean_up_in_thread(
    cleanups: Cleanups,
    limit_s: float,
    stage: StageContext,
    loop: asyncio.AbstractEventLoop,
    receipts: Receipts,
) -> list[CleanupFailure]:
    """Call them all in this thread, awaiting on ``loop`` what has to be awaited."""
    failures = []
    while (cleanup := cleanups.pop()) is not None:
        error = _called(cleanup, limit_s, loop)
        if error is not None:
            failures.append(_failure(cleanup, error, stage, receipts))
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


def _failure(
    cleanup: Cleanup, error: BaseException, ctx: RunContext, receipts: Receipts | None
) -> CleanupFailure:
    from stageflow_actors.model.redaction.sources import redactor_of_run

    if isinstance(ctx, StageContext) and receipts is not None:
        name, redactor = ctx.stage_name, receipts.redactor(ctx)
    else:
        name, redactor = None, redactor_of_run(ctx, None, os.environ)
    message = redactor.text(describe_exception(error))
    failure = CleanupFailure(name, name_of(cleanup), type(error).__qualname__, message)
    whose = f"stage '{name}'" if name else "the run"
    logger.warning("Cleanup %s of %s failed: %s: %s", failure.cleanup, whose, *failure[2:])
    return failure
