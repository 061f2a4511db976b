"""``DirectLine``: the calling end of a direct connection to an actor of the same machine."""

from __future__ import annotations

import asyncio
import os
import pickle
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

from stageflow_actors.actors.direct_door import DirectAddress, path_of
from stageflow_actors.actors.direct_frames import ANSWER, Frames, frame

_READ_BYTES = 256 * 2**10


class DirectCallError(Exception):
    """The call came to nothing here; it is to be made again, by Ray."""


class DirectCall:
    """One call on its way: what ``Channel`` needs of a reference of Ray, and of its future.

    It is done on the event loop on which it was made, never from within the call that makes it.
    """

    __slots__ = ("_body", "_callback", "_is_done")

    def __init__(self) -> None:
        self._is_done = False
        self._body: bytes | None = None
        self._callback: Callable[[Any], None] | None = None

    def future(self) -> Self:
        """Itself."""
        return self

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        """Call ``callback`` with this, once it is done."""
        self._callback = callback
        if self._is_done:
            asyncio.get_running_loop().call_soon(callback, self)

    def result(self) -> bytes:
        """The answer.

        Raises:
            DirectCallError: there is none.
        """
        if self._body is None:
            raise DirectCallError
        return self._body

    def conclude(self, body: bytes | None) -> None:
        """Take the answer, or that there is none."""
        self._body, self._is_done = body, True
        if self._callback is not None:
            self._callback(self)


class DirectLine:
    """One connection, on the running event loop; it has no transport: it may outlive its loop.

    ``broken`` is called when the other end has hung up.
    """

    __slots__ = ("_broken", "_calls", "_fd", "_frames", "_loop", "_number", "_unsent")

    def __init__(self, fd: int, broken: Callable[[], None]) -> None:
        self._broken = broken
        self._fd: int | None = fd
        self._loop = asyncio.get_running_loop()
        self._frames = Frames()
        self._calls: dict[int, DirectCall] = {}
        self._number = 0
        self._unsent = bytearray()
        self._loop.add_reader(fd, self._readable)

    @classmethod
    async def connect(cls, address: DirectAddress, caller: Any, broken: Callable[[], None]) -> Self:
        """A line to that door, on which ``caller`` says who calls.

        Raises:
            OSError: there is no such door any more.
        """
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(connection, path_of(address.name))
        except BaseException:
            connection.close()
            raise
        line = cls(connection.detach(), broken)
        line._send(frame(0, ANSWER, address.token + pickle.dumps(caller)))
        return line

    @property
    def is_open(self) -> bool:
        """Whether it may be called."""
        return self._fd is not None

    def call(self, parcel: bytes) -> DirectCall:
        """Send a parcel."""
        self._number += 1
        call = self._calls[self._number] = DirectCall()
        self._send(frame(self._number, ANSWER, parcel))
        return call

    def close(self) -> None:
        """Hang up; who waits for an answer is told that there is none."""
        fd, self._fd = self._fd, None
        if fd is None:
            return
        if not self._loop.is_closed():
            self._loop.remove_reader(fd)
            self._loop.remove_writer(fd)
            calls, self._calls = self._calls, {}
            for call in calls.values():
                self._loop.call_soon(call.conclude, None)
        os.close(fd)

    def __del__(self) -> None:
        if self._fd is not None:
            with suppress(OSError):
                os.close(self._fd)

    def _readable(self) -> None:
        if self._fd is None:
            return
        try:
            data = os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._break()
            return
        for number, kind, body in list(self._frames.feed(data)):
            call = self._calls.pop(number, None)
            if call is not None:
                call.conclude(body if kind == ANSWER else None)

    def _send(self, data: bytes) -> None:
        if self._unsent:
            self._unsent += data
            return
        sent = self._write(data)
        if sent < len(data) and self._fd is not None:
            self._unsent += data[sent:]
            self._loop.add_writer(self._fd, self._writable)

    def _writable(self) -> None:
        if self._fd is None:
            return
        del self._unsent[: self._write(self._unsent)]
        if not self._unsent and self._fd is not None:
            self._loop.remove_writer(self._fd)

    def _write(self, data: bytes | bytearray) -> int:
        if self._fd is None:
            return 0
        try:
            return os.write(self._fd, data)
        except BlockingIOError:
            return 0
        except OSError:
            self._break()
            return 0

    def _break(self) -> None:
        self.close()
        self._broken()
