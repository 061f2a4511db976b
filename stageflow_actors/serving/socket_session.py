"""``SocketSession``: one WebSocket from its handshake to its end."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from starlette.websockets import WebSocket

from stageflow_actors.serving.callers import Caller
from stageflow_actors.serving.faults import ProblemError
from stageflow_actors.serving.service import Service
from stageflow_actors.serving.socket_messages import (
    Message,
    MessageRefusedError,
    Ping,
    Pong,
    Start,
    Watch,
    read_binary,
    read_text,
)
from stageflow_actors.serving.socket_replies import PING, PONG, error
from stageflow_actors.serving.socket_runs import SocketRuns, problem_from
from stageflow_actors.serving.socket_wire import ClientGoneError, Wire

_SILENT_HEARTBEATS = 3
_RESTARTING = 1012
"""The close code of a server that goes down: its client has not left."""


class Parting(NamedTuple):
    """How a socket ends: with a close code of ours; with none, the client has ended it."""

    code: int | None = None
    reason: str = ""
    is_left: bool = True


class SocketSession:
    """Takes what the client says; each run is shown by a task of its own.

    Something always receives: some servers say in no other way that the client has gone. Others
    cancel ``serve``, and whatever it would await then: so what has to be done for the runs at the
    end is done by tasks that the service holds.
    """

    def __init__(self, websocket: WebSocket, service: Service, caller: Caller) -> None:
        self._websocket = websocket
        self._settings = service.settings
        self._wire = Wire(websocket, service)
        self._scope = websocket.scope
        self._runs = SocketRuns(self._wire, service, caller, self._scope)
        self._bad_messages = 0
        self._heard_at = 0.0

    async def serve(self) -> None:
        """Until one of both sides ends it."""
        receiving = asyncio.create_task(self._receive_all())
        beating = asyncio.create_task(self._beat())
        waiting: set[asyncio.Future[Any]] = {receiving, beating, self._wire.broken}
        parting = Parting()
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in (receiving, beating):
                if task.done() and not task.cancelled():
                    parting = task.result()
                    break
        finally:
            receiving.cancel()
            beating.cancel()
            self._runs.part_soon(is_left=parting.is_left)
        if parting.code is not None:
            await self._wire.close(parting.code, parting.reason)
        await asyncio.wait({receiving, beating})

    async def _receive_all(self) -> Parting:
        clock = asyncio.get_running_loop().time
        while True:
            self._heard_at = clock()
            try:
                event = await self._websocket.receive()
            except (OSError, RuntimeError):
                return Parting()
            if event["type"] == "websocket.disconnect":
                return Parting(is_left=event.get("code") != _RESTARTING)
            text, blob = event.get("text"), event.get("bytes")
            try:
                parting = await self._take(text if text is not None else blob or b"")
            except ClientGoneError:
                return Parting()
            if parting is not None:
                return parting

    async def _take(self, message: str | bytes) -> Parting | None:
        is_text = isinstance(message, str)
        raw = message.encode("utf-8", "surrogatepass") if isinstance(message, str) else message
        if len(raw) > self._settings.max_body_bytes:
            return Parting(1009, "the message is too large")
        try:
            if is_text:
                await self._obey(read_text(raw, self._settings), b"", len(raw))
            else:
                said, blob = read_binary(raw, self._settings)
                await self._obey(said, blob, len(raw))
        except MessageRefusedError as refused:
            await self._refuse(refused.problem, refused.ref)
            self._bad_messages += 1
            if self._bad_messages > self._settings.max_bad_messages_per_socket:
                return Parting(4400, "too many messages that cannot be used")
        return None

    async def _obey(self, said: Message, blob: bytes, size: int) -> None:
        """Whatever cannot be done is told, and changes nothing else."""
        match said:
            case Ping():
                await self._wire.send(PONG)
                return
            case Pong():
                return
        try:
            if isinstance(said, Start | Watch):
                await self._runs.begin(said, size)
            else:
                await self._runs.go_on(said, blob, size)
        except ClientGoneError:
            raise
        except Exception as failed:
            await self._refuse(problem_from(failed), said.ref)

    async def _refuse(self, problem: ProblemError, ref: str | None) -> None:
        is_closed = ref is not None and ref not in self._runs
        await self._wire.send(error(problem, self._scope, ref, is_closed=is_closed))

    async def _beat(self) -> Parting:
        """A client that says nothing for some heartbeats is not there."""
        every_s = self._settings.heartbeat_s
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(every_s)
            if clock() - self._heard_at > _SILENT_HEARTBEATS * every_s:
                return Parting(4408, "nothing was heard")
            try:
                await self._wire.send(PING)
            except ClientGoneError:
                return Parting()
