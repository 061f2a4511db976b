"""``Delivery``: the thread on which an exporter gets its batches, again until it has them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from stageflow_actors.adapters.analytics.buffer import PackedEvent
from stageflow_actors.adapters.analytics.event import AnalyticsEvent
from stageflow_actors.adapters.analytics.exporter import AnalyticsExporter, close_exporter
from stageflow_actors.adapters.analytics.pauses import Pauses
from stageflow_actors.adapters.analytics.queue import DeliveryQueue

logger = logging.getLogger("stageflow_actors.events")

GRACE_S = 1.0
"""What a cancelled ``export``, and then ``close`` of the exporter, get at the least."""


class Delivery:
    """Calls ``exporter`` with one batch after the other, on a thread and event loop of its own.

    ``after_attempt`` is called there when an attempt has ended. The thread ends after
    ``begin_close``, once all is delivered or the time is up: then ``export`` is cancelled.
    """

    def __init__(
        self,
        exporter: AnalyticsExporter,
        queue: DeliveryQueue,
        *,
        gathering_s: float,
        pauses: Pauses,
        after_attempt: Callable[[], object],
    ) -> None:
        self._exporter = exporter
        self._queue = queue
        self._gathering_s = gathering_s
        self._pauses = pauses
        self._after_attempt = after_attempt
        self._has_warned = self._is_giving_up = False
        self._close_by = 0.0
        self._loop: Future[asyncio.AbstractEventLoop] = Future()
        self.ended: Future[None] = Future()
        self.ended.set_running_or_notify_cancel()  # one of several waiters cannot cancel it
        self._thread = threading.Thread(target=self._run, name="stageflow-analytics", daemon=True)
        # Not on first use: a first event at the exit of the process could start no thread any more.
        self._thread.start()

    def begin_close(self, timeout_s: float) -> None:
        """Deliver what there is at once, and end; of several times, the first to be up counts."""
        self._queue.close()
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.result().call_soon_threadsafe(self._arm, timeout_s)

    def join(self) -> None:
        """Wait for the thread; for a moment only once ``ended`` is done."""
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._deliver_and_close())
        finally:
            if not self._loop.done():
                self._loop.set_exception(RuntimeError("there is no event loop"))
            self.ended.set_result(None)

    def _arm(self, timeout_s: float) -> None:
        self._close_by = time.monotonic() + timeout_s
        asyncio.get_running_loop().call_later(timeout_s, self._give_up)

    def _give_up(self) -> None:
        self._is_giving_up = True
        self._delivering.cancel()

    async def _deliver_and_close(self) -> None:
        self._delivering = asyncio.ensure_future(self._deliver_all())
        self._loop.set_result(asyncio.get_running_loop())
        await asyncio.wait([self._delivering])
        left_s = self._close_by - time.monotonic()
        try:
            async with asyncio.timeout(max(left_s, GRACE_S)):
                await close_exporter(self._exporter)
        except BaseException as error:
            logger.warning(
                "Exporter %s could not be closed.", type(self._exporter).__name__, exc_info=error
            )

    async def _deliver_all(self) -> None:
        failures = 0
        while not self._is_giving_up and await self._queue.wait_until_due(self._gathering_s):
            batch = self._queue.take()
            if not batch or await self._is_delivered(batch):
                failures = 0
                continue
            if self._is_giving_up:
                return
            # Little time is left to one that closes: its pauses do not grow.
            failures = 1 if self._queue.is_closed else failures + 1
            await self._queue.pause(self._pauses.after(failures))

    async def _is_delivered(self, batch: list[PackedEvent]) -> bool:
        is_exported = False
        try:
            await self._exporter.export([AnalyticsEvent.from_json(each.line) for each in batch])
            is_exported = True
        except BaseException as error:  # a CancelledError of the exporter's own, too
            self._warn_once(error)
            error.with_traceback(None)  # one object raised each time would grow without end
        self._queue.settle(is_exported=is_exported)
        self._after_attempt()
        return is_exported

    def _warn_once(self, error: BaseException) -> None:
        if not self._has_warned and not self._is_giving_up:
            self._has_warned = True
            logger.warning(
                "Exporter %s raised %s; its events are kept and tried again.",
                type(self._exporter).__name__,
                type(error).__name__,
                exc_info=error,
            )
