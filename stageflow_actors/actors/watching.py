"""Watching an execution for signs of life, in its own process: nobody else hears them."""

from __future__ import annotations

import asyncio
import time

from stageflow_actors.actors.failures import failure_of
from stageflow_actors.actors.messages import Receipt
from stageflow_actors.engine.facts import Ending
from stageflow_actors.errors import StageTimeoutError
from stageflow_actors.model.policies.timeouts import Timeouts
from stageflow_actors.model.signs import SignsOfLife
from stageflow_actors.model.stage_context import StageContext


async def watched(
    body: asyncio.Future[Receipt],
    ctx: StageContext,
    limits: Timeouts,
    stop_s: float,
    started_at: float,
) -> Receipt:
    """The receipt of ``body``, unless it is silent for too long: then it is told to stop.

    It has ``stop_s`` seconds for that; then the receipt says that it is stuck.
    """
    assert ctx.signs is not None, "a stage with such limits has signs to watch"
    while True:
        patience_s, text = _patience(ctx.signs, limits)
        if patience_s <= 0:
            break
        done, _pending = await asyncio.wait({body}, timeout=patience_s)
        if done:
            return body.result()
    if not ctx.cancellation.request(text):
        return await body  # it is being stopped for another reason, by those who see to its end
    done, _pending = await asyncio.wait({body}, timeout=stop_s)
    failure = failure_of(StageTimeoutError(text, hint="Call ctx.heartbeat(), or raise the limit."))
    late = Receipt.failed(failure, started_at, time.time(), ending=Ending.TIMED_OUT)
    if done:
        ended = body.result()  # what it has emitted counts, what it has made does not
        return late._replace(events=ended.events, cleanup_failures=ended.cleanup_failures)
    ctx.cancellation.abandon()
    return late._replace(is_stuck=True)


def _patience(signs: SignsOfLife, limits: Timeouts) -> tuple[float, str]:
    """Seconds until the first of the limits is reached, and what is said then."""
    now = time.monotonic()
    waits = []
    if limits.idle is not None:
        text = f"Stage showed no sign of life for {round(limits.idle * 1000)}ms"
        waits.append((signs.seen_at + limits.idle - now, text))
    if limits.heartbeat is not None:
        text = f"Stage gave no heartbeat for {round(limits.heartbeat * 1000)}ms"
        waits.append((signs.heartbeat_at + limits.heartbeat - now, text))
    return min(waits)
