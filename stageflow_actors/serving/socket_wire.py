"""``Wire``: the sending half of one WebSocket: one message at a time, and for so long only."""

from __future__ import annotations

import asyncio

from starlette.websockets import WebSocket, WebSocketDisconnect

from stageflow_actors.serving.service import Service


class ClientGoneError(Exception):
    """Nothing can be sent any more."""


class Wire:
    """Sends; ``broken`` is done once that is not possible any more.

    A client that takes longer than ``max_stall_s`` for one message is given up.
    """

    def __init__(self, websocket: WebSocket, service: Service) -> None:
        self.broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._websocket = websocket
        self._service = service
        self._turn = asyncio.Lock()

    async def send(self, message: str | bytes) -> None:
        """Send ``message``, text or binary.

        Raises:
            ClientGoneError: the client has gone, or does not read.
        """
        part = {"text": message} if isinstance(message, str) else {"bytes": message}
        await self._put({"type": "websocket.send", **part})

    async def close(self, code: int, reason: str) -> None:
        """Say goodbye, to whoever is there."""
        try:
            await self._put({"type": "websocket.close", "code": code, "reason": reason})
        except ClientGoneError:
            pass
        else:
            self._break()

    async def _put(self, message: dict[str, object]) -> None:
        async with self._turn:
            if self.broken.done():
                raise ClientGoneError
            try:
                async with asyncio.timeout(self._service.settings.max_stall_s):
                    await self._websocket.send(message)
            except TimeoutError:
                self._service.dropped_stalled += 1
                self._break()
                raise ClientGoneError from None
            except (OSError, RuntimeError, WebSocketDisconnect):  # the words of different servers
                self._break()
                raise ClientGoneError from None

    def _break(self) -> None:
        if not self.broken.done():
            self.broken.set_result(None)
