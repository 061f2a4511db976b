"""``SocketRun``: one run on one WebSocket, shown as far as its client gives credit."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from uuid import uuid4

from stageflow_actors.serving.callers import Caller, audiences_of
from stageflow_actors.serving.desk import BATCH_BYTES, Entries, Reading, Shown
from stageflow_actors.serving.faults import ProblemError
from stageflow_actors.serving.request_trace import RequestTrace
from stageflow_actors.serving.service import Service
from stageflow_actors.serving.socket_intake import Intake
from stageflow_actors.serving.socket_replies import accepted, ended, entry, size_of
from stageflow_actors.serving.socket_wire import Wire

logger = logging.getLogger("stageflow_actors.serving")

_MOST = 2**50


class Credits:
    """How many bytes a client will take. One message may go beyond it; then there is none."""

    def __init__(self, size: int) -> None:
        self.left = size
        self._news = asyncio.Event()

    def give(self, size: int) -> None:
        """The client takes so many more."""
        self.left = min(self.left + size, _MOST)
        self._news.set()

    def spend(self, size: int) -> None:
        """So many were sent."""
        self.left -= size

    async def some(self) -> None:
        """Wait until there is any."""
        while self.left <= 0:
            self._news.clear()
            await self._news.wait()


class SocketRun:
    """A run under the name ``ref``: first its ``intake``, then ``starting``, then it is shown.

    One that is watched has its ``run_id`` from the beginning. ``task`` shows it.
    """

    def __init__(
        self,
        ref: str,
        credit: int,
        wire: Wire,
        service: Service,
        caller: Caller,
        trace: RequestTrace,
    ) -> None:
        self.ref = ref
        self.credits = Credits(credit)
        self.intake: Intake | None = None
        self.starting: asyncio.Task[Shown] | None = None
        self.run_id: str | None = None
        self.after = 0
        self.is_cancelled_when_left = False
        self.task: asyncio.Task[None] | None = None
        self._is_cancelling = False
        self._is_parted = False
        self._wire = wire
        self._service = service
        self._caller = caller
        self._trace = trace
        self.reader = uuid4().hex

    async def show(self) -> str:
        """Send what becomes of it; returns the last message, once there is credit for it.

        Raises:
            ProblemError: it was not started, is not there, or not kept any more.
            ClientGoneError: the client has gone.
        """
        if self.starting is not None:
            shown = await asyncio.shield(self.starting)
            self.run_id = str(shown.run_id)
            self._trace.note_one_of_many(self.run_id)
            await self._wire.send(accepted(self.ref, self.run_id))
        assert self.run_id is not None, "it was started, or is watched"
        # From here on its stages wait where they stream, whatever credit there is.
        await self._read(max_bytes=1, wait_s=0.0)
        if self.starting is None:
            self._trace.note_one_of_many(self.run_id)
            await self._wire.send(accepted(self.ref, self.run_id))
        await self._send_entries()
        shown = await self._service.look(self.run_id, self._caller.tenant)
        await self.credits.some()
        return ended(self.ref, shown.document)

    def cancel_soon(self) -> None:
        """Ask it to stop; its end follows as any other."""
        if not self._is_cancelling:
            self._is_cancelling = True
            self._service.hold(self._cancel())

    def part_soon(self, *, is_left: bool) -> None:
        """Show nothing more. With ``is_left`` it is cancelled, if that is its pipeline's way."""
        self._is_parted = True
        if self.task is not None:
            self.task.cancel()
        self._service.hold(self._part(cancels=is_left and self.is_cancelled_when_left))

    async def leave(self) -> None:
        """Nobody waits for this reader any more."""
        if self.run_id is not None:
            with suppress(ProblemError):
                await self._service.leave(self.run_id, self.reader)

    async def _send_entries(self) -> None:
        """To the last; what was read is at most one batch, or one entry."""
        while True:
            await self.credits.some()
            max_bytes = min(BATCH_BYTES, self.credits.left)
            found = await self._read(max_bytes, self._service.settings.heartbeat_s)
            for each in found.entries:
                await self.credits.some()
                message = entry(self.ref, each)
                self.credits.spend(size_of(message))
                await self._wire.send(message)
            self.after = found.after
            if found.is_over:
                return

    async def _read(self, max_bytes: int, wait_s: float) -> Entries:
        assert self.run_id is not None, "it is there"
        audiences = audiences_of(self._caller)
        found = await self._service.read(
            Reading(
                self.run_id,
                self._caller.tenant,
                self.after,
                audiences,
                max_bytes,
                wait_s,
                self.reader,
            )
        )
        if self._is_parted:  # what is awaited may lose a cancellation that comes with its answer
            raise asyncio.CancelledError
        return found

    async def _part(self, *, cancels: bool) -> None:
        if self.task is not None:
            await asyncio.wait({self.task})  # or it might still say that it reads
        if await self._is_started():
            if cancels:
                await self._cancel()
            await self.leave()

    async def _cancel(self) -> None:
        try:
            if await self._is_started():
                assert self.run_id is not None, "it was started"
                await self._service.cancel(self.run_id, self._caller.tenant)
        except ProblemError:
            pass  # it has ended
        except Exception:  # nobody waits for this
            logger.exception("Run %s could not be cancelled.", self.run_id)

    async def _is_started(self) -> bool:
        if self.starting is None:
            return self.run_id is not None
        try:
            self.run_id = str((await asyncio.shield(self.starting)).run_id)
        except Exception:  # whoever shows it says so, if anybody does
            return False
        return True
