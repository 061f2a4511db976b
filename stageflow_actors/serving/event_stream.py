"""``EventStream``: the answer that tells the events of a run as they come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from stageflow_actors.serving.desk import Entries, Entry, Reading
from stageflow_actors.serving.faults import ProblemError
from stageflow_actors.serving.presence import while_there
from stageflow_actors.serving.problems import problem_response
from stageflow_actors.serving.service import Service
from stageflow_actors.serving.sse import HEARTBEAT, closing_frame, frame
from stageflow_actors.serving.tape import ENDED

NOTHING_YET = Entries((), 0, 0, is_over=False)
"""What was read of a run that has just been started."""
_MUCH_HELD = 32 * 2**10
"""Bytes of what was sent last: after less, as most streams send, there is no other body."""
_MOMENT_S = 0.1
"""In which a server has taken what it was sent, so that the next is not taken with it."""
_HEADERS = MappingProxyType(
    {
        "Content-Type": "text/event-stream; charset=utf-8",
        "Cache-Control": "no-store",
        "X-Accel-Buffering": "no",
    }
)


class EventStream(Response):
    """Entries of a run: those that were ``found``, and what comes after them, to the last.

    One frame is on its way at a time. A client that took longer than ``patience_s`` for it, while
    more than ``max_unread_bytes`` wait, gets the cursor to resume from, and the stream closes; so
    it does after ``max_stream_bytes``, where those are bounded. One that reads nothing for
    ``max_stall_s`` is left. With ``cancels_when_left`` the run ends with a client that goes early.
    """

    def __init__(
        self,
        service: Service,
        reading: Reading,
        found: Entries,
        *,
        cancels_when_left: bool = False,
    ) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._service = service
        self._reading = reading
        self._found = found
        self._number = reading.after
        self._sent_bytes = 0
        self._held_bytes = 0
        self._stalled_s = 0.0
        self._cancels_when_left = cancels_when_left

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the run has ended, or the client has gone."""
        try:
            with self._service.streaming(self._reading.tenant), suppress(ClientDisconnect):
                await self._serve(scope, receive, send)
        except ProblemError as problem:
            await problem_response(problem, scope)(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await while_there(scope, receive, self._send_all(send))
        except (ClientDisconnect, asyncio.CancelledError):
            if self._cancels_when_left:
                self._service.hold(self._cancel())
            raise

    async def _cancel(self) -> None:
        with suppress(ProblemError):  # it has ended meanwhile
            await self._service.cancel(self._reading.run_id, self._reading.tenant)

    async def _send_all(self, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        try:
            await send(start)
            await self._send_frames(send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            self._cancels_when_left = False
        except TimeoutError:
            self._service.dropped_stalled += 1
        except OSError:
            pass  # the client has gone

    async def _send_frames(self, send: Send) -> None:
        try:
            await self._send_entries(send)
        except ProblemError:  # the run or what comes next is not kept any more, or out of reach
            await self._put(send, closing_frame(self._number))

    async def _send_entries(self, send: Send) -> None:
        """While the next are waited for, nothing is held here of those that were sent."""
        after = await self._after_sending(send, self._first())
        while after is not None:
            after = await self._after_sending(send, await self._next(send, after))

    def _first(self) -> Entries:
        found, self._found = self._found, NOTHING_YET
        return found

    async def _after_sending(self, send: Send, found: Entries) -> int | None:
        """Where to go on; ``None``, if that was all."""
        before = self._sent_bytes
        for entry in found.entries:
            if not await self._is_taken(send, entry):
                return None
        self._held_bytes = self._sent_bytes - before
        return None if found.is_over else found.after

    async def _next(self, send: Send, after: int) -> Entries:
        wait_s = self._service.settings.heartbeat_s
        while True:
            reading = self._reading._replace(after=after, wait_s=wait_s)
            found = await self._relieved(send, self._service.read(reading))
            if found.entries or found.is_over:
                return found
            await self._put(send, HEARTBEAT)
            after = found.after

    async def _relieved(self, send: Send, working: Coroutine[Any, Any, Entries]) -> Entries:
        """What is read. If that takes a moment, an empty body is sent after much, where streams
        have a bound, as the server takes whatever it is sent: clients see nothing of it, and what
        holds the last that it was sent has nothing to hold.
        """
        if self._held_bytes < _MUCH_HELD or self._service.settings.max_stream_bytes is None:
            return await working
        read = asyncio.ensure_future(working)
        try:
            done, _ = await asyncio.wait({read}, timeout=_MOMENT_S)
            if not done:
                self._held_bytes, began = 0, time.monotonic()
                await self._put(send, b"")
                self._stalled_s = time.monotonic() - began  # it waits for what was sent before
            return await read
        finally:  # its client may have gone
            read.cancel()
            await asyncio.wait({read})
            if not read.cancelled():
                read.exception()

    async def _is_taken(self, send: Send, entry: Entry) -> bool:
        """Whether the client keeps up, and has not had enough; else it is told where it was."""
        # Not the clock of the event loop: with some it stands still within a turn.
        began, self._stalled_s = time.monotonic() - self._stalled_s, 0.0
        made = frame(entry)
        await self._put(send, made)
        self._number = entry.number
        if entry.type == ENDED:
            return True
        settings = self._service.settings
        self._sent_bytes += len(made)
        most = settings.max_stream_bytes
        is_full = most is not None and self._sent_bytes > most
        is_slow = time.monotonic() - began > settings.patience_s
        if is_slow and await self._unread_after(entry.number) > settings.max_unread_bytes:
            self._service.closed_unread += 1
        elif not is_full:
            return True
        await self._put(send, closing_frame(entry.number))
        return False

    async def _unread_after(self, number: int) -> int:
        reading = self._reading._replace(after=number, max_bytes=1, wait_s=0.0)
        found = await self._service.read(reading)
        return found.unread_bytes + sum(entry.size for entry in found.entries)

    async def _put(self, send: Send, body: bytes) -> None:
        async with asyncio.timeout(self._service.settings.max_stall_s):
            await send({"type": "http.response.body", "body": body, "more_body": True})
