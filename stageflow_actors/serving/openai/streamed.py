"""``StreamedAnswer``: an answer that is sent as its run goes on."""

from __future__ import annotations

import asyncio
import logging
from abc import abstractmethod
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from stageflow_actors.errors import StageflowError
from stageflow_actors.serving.faults import ProblemError
from stageflow_actors.serving.openai.failures import REQUEST_ID, Failure, failure_of
from stageflow_actors.serving.openai.following import Following
from stageflow_actors.serving.presence import while_there
from stageflow_actors.serving.problems import problem_of
from stageflow_actors.serving.request_trace import note_run
from stageflow_actors.serving.service import Service

logger = logging.getLogger("stageflow_actors.serving")


class StreamedAnswer(Response):
    """Sends the parts that a subclass makes of what a run streams.

    What goes wrong before the first part is answered with its status; after it, with the last words
    of the subclass, or by breaking off. One part is on its way at a time; a client that reads
    nothing for ``max_stall_s`` is left.
    """

    def __init__(self, service: Service, tenant: str, run: Following, media_type: str) -> None:
        super().__init__(media_type=media_type)
        del self.headers["content-length"]
        self.headers["X-Accel-Buffering"] = "no"
        self.run = run
        self._service = service
        self._tenant = tenant

    @abstractmethod
    def parts(self) -> AsyncGenerator[bytes, None]:
        """What is sent, part by part.

        Raises:
            ProblemError: there is nothing more to send, because of this.
        """

    @abstractmethod
    def last_words(self, failure: Failure) -> bytes | None:
        """How an answer ends that had begun; ``None``: it breaks off."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the run has ended, or the client has gone."""
        with suppress(ClientDisconnect):
            await while_there(scope, receive, self._send_all(scope, receive, send))

    async def _send_all(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._has_begun = False
        try:
            failure = await self._send_parts(scope, send)
            if failure is not None and not self._has_begun:
                await failure.response()(scope, receive, send)
                return
            last = b"" if failure is None else self.last_words(failure)
            if last is not None:
                await self._put(send, last, is_last=True)
        except TimeoutError:
            self._service.dropped_stalled += 1
        except OSError:
            pass  # the client has gone

    async def _send_parts(self, scope: Scope, send: Send) -> Failure | None:
        """Why there are no more, if there should be."""
        try:
            with self._service.streaming(self._tenant):
                run_id = await self.run.start()
                note_run(scope, run_id)
                self.headers[REQUEST_ID] = str(run_id)
                async with aclosing(self.parts()) as parts:
                    async for part in parts:
                        await self._put(send, part)
        except ProblemError as problem:
            return failure_of(problem)
        except StageflowError as error:
            logger.exception("An answer ended in %s.", error.code)
            return failure_of(problem_of(error))
        return None

    async def _put(self, send: Send, body: bytes, *, is_last: bool = False) -> None:
        async with asyncio.timeout(self._service.settings.max_stall_s):
            if not self._has_begun:
                self._has_begun = True
                start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
                await send(start)
            await send({"type": "http.response.body", "body": body, "more_body": not is_last})
