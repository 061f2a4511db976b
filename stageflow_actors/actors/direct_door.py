"""``DirectDoor``: where processes of the same machine reach an actor without Ray between them.

A call of Ray costs about a millisecond and 0.4 ms of CPU on either side; over a socket of the same
machine it costs a tenth. Ray stays the way where there is none: from other machines, for what holds
references to objects, and when the socket breaks.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
import pickle
import secrets
import socket
import struct
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import ray

from stageflow_actors.actors.control import CONTROL, WorkLoop
from stageflow_actors.actors.direct_frames import ANSWER, ONLY_BY_RAY, Frames, frame
from stageflow_actors.actors.parcels import Parcel, Respond
from stageflow_actors.model.settings import Settings

logger = logging.getLogger("stageflow_actors")

_TOKEN_BYTES = 32
_CREDENTIALS = struct.Struct("3i")
_BACKLOG = 128
Take = Callable[[Any, Parcel, Respond], None]
"""Called with who calls, what came, and how to respond."""
Left = Callable[[int], None]
"""Called with the process id of a caller that has hung up, or has died."""


def _ignore(_pid: int) -> None:
    """It may come back, by Ray."""


class DirectAddress(NamedTuple):
    """Where a door is; ``token`` is what whoever comes has to show."""

    node: str
    name: str
    token: bytes


class DirectDoor:
    """Hands what comes to ``take``, with the name that the caller gave.

    The socket has no file, and goes with its process. Who connects has to belong to the same user,
    and to know the token, which Ray has brought there.
    """

    def __init__(self, address: DirectAddress, server: asyncio.Server) -> None:
        self.address = address
        self._server = server  # it listens as long as somebody holds it

    @classmethod
    async def open(cls, take: Take, node: str, left: Left = _ignore) -> DirectDoor | None:
        """One on the running event loop; none where the system has no such sockets."""
        if sys.platform != "linux":
            return None
        address = DirectAddress(node, secrets.token_hex(16), secrets.token_bytes(_TOKEN_BYTES))
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listening.bind(path_of(address.name))
            listening.listen(_BACKLOG)
            listening.setblocking(False)
            loop = asyncio.get_running_loop()
            server = await loop.create_unix_server(
                lambda: _Served(take, address.token, left), sock=listening
            )
        except OSError:
            listening.close()
            logger.warning("Processes of this machine use Ray's calls: no socket.", exc_info=True)
            return None
        return cls(address, server)


class Direct:
    """An actor that processes of its machine may reach directly, and that says that it lives."""

    _work: WorkLoop
    _door: DirectDoor | None = None

    @ray.method(concurrency_group=CONTROL)
    async def beat(self) -> None:
        """Answer from the event loop that it works on: it turns."""
        await self._work.run(asyncio.sleep(0))

    @ray.method(concurrency_group=CONTROL)
    async def door(self) -> DirectAddress | None:
        """Where they do; nothing where they cannot."""
        return None if self._door is None else self._door.address

    async def open_door(self, take: Take, settings: Settings, left: Left = _ignore) -> None:
        """From now on; once, on the event loop that ``take`` works on."""
        if self._door is None and settings.direct_calls:
            node = ray.get_runtime_context().get_node_id()
            self._door = await DirectDoor.open(take, node, left)


class _Served(asyncio.Protocol):
    """One connection."""

    def __init__(self, take: Take, token: bytes, left: Left) -> None:
        self._take = take
        self._token = token
        self._left = left
        self._pid = 0
        self._frames = Frames()
        self._caller: Any = None
        self._is_known = False
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._pid, user = _who_calls(transport.get_extra_info("socket"))
        if user != os.getuid():
            self._transport.abort()

    def connection_lost(self, _error: Exception | None) -> None:
        if self._is_known:
            self._left(self._pid)

    def data_received(self, data: bytes) -> None:
        for number, _kind, body in self._frames.feed(data):
            if self._is_known:
                self._serve(number, body)
            elif hmac.compare_digest(body[:_TOKEN_BYTES], self._token):
                self._is_known = True
                self._caller = pickle.loads(body[_TOKEN_BYTES:])
            else:
                self._transport.abort()
                return

    def _serve(self, number: int, body: bytes) -> None:
        respond = partial(self._answer, number)
        try:
            self._take(self._caller, body, respond)
        except Exception as error:
            respond(error)

    def _answer(self, number: int, told: Parcel | Exception) -> None:
        if self._transport.is_closing():
            return  # nobody is there any more, or asks again by Ray
        if isinstance(told, bytes):
            self._transport.write(frame(number, ANSWER, told))
        else:  # what was raised is raised again there, and is told as what it is
            self._transport.write(frame(number, ONLY_BY_RAY, b""))


def path_of(name: str) -> str:
    """Where in the machine's sockets without files a door of that name is."""
    return f"\0stageflow-actors-{name}"


def _who_calls(connection: socket.socket) -> tuple[int, int]:
    """The process at the other end, and its user."""
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, user, _group = _CREDENTIALS.unpack(told)
    return pid, user
