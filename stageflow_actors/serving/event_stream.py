"""``EventStream``: the answer that tells the events of a run as they come."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import MappingProxyType

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from stageflow_actors.serving.faults import ProblemError
from stageflow_actors.serving.problems import problem_response
from stageflow_actors.serving.records import RunRecord
from stageflow_actors.serving.service import Service
from stageflow_actors.serving.tape import HEARTBEAT, closing_frame

_HEADERS = MappingProxyType(
    {
        "Content-Type": "text/event-stream; charset=utf-8",
        "Cache-Control": "no-store",
        "X-Accel-Buffering": "no",
    }
)


class EventStream(Response):
    """Events of ``record`` after so many others, to the last one.

    One frame is on its way at a time, and nothing else is held for this client. One that took
    longer than ``patience_s`` for it, while more than ``max_unread_bytes`` wait, gets the cursor to
    resume from, and the stream closes; one that reads nothing for ``max_stall_s`` is left.
    """

    def __init__(self, service: Service, record: RunRecord, position: int) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._service = service
        self._record = record
        self._position = position

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the run has ended, or the client has gone."""
        try:
            with self._service.streaming(self._record.tenant):
                await self._serve(receive, send)
        except ProblemError as problem:
            await problem_response(problem)(scope, receive, send)

    async def _serve(self, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self._send_all(send))
        leaving = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.wait({sending, leaving})
        if not sending.cancelled():
            sending.result()

    async def _send_all(self, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        try:
            await send(start)
            await self._send_frames(send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            self._service.dropped_stalled += 1
        except OSError:
            pass  # the client has gone

    async def _send_frames(self, send: Send) -> None:
        record, tape = self._record, self._record.tape
        record.watch()
        while True:
            news = asyncio.ensure_future(record.news())
            try:
                while self._position < len(tape):
                    if not await self._is_taken(send, tape[self._position]):
                        return
                    self._position += 1
                if record.is_ended:
                    return
                with suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.shield(news), self._service.settings.heartbeat_s)
                if not news.done():
                    await self._put(send, HEARTBEAT)
            finally:
                news.cancel()

    async def _is_taken(self, send: Send, frame: bytes) -> bool:
        """Whether the client keeps up; else it is told where it was."""
        clock = asyncio.get_running_loop().time
        began = clock()
        await self._put(send, frame)
        settings = self._service.settings
        unread = self._record.tape.bytes_after(self._position + 1)
        if clock() - began <= settings.patience_s or unread <= settings.max_unread_bytes:
            return True
        self._service.closed_unread += 1
        await self._put(send, closing_frame(self._position + 1))
        return False

    async def _put(self, send: Send, body: bytes) -> None:
        async with asyncio.timeout(self._service.settings.max_stall_s):
            await send({"type": "http.response.body", "body": body, "more_body": True})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
