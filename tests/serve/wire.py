"""A client that costs little, and shows what came: many of them share two cores with the door."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any, NamedTuple

import httpx

from tests.serving.live import PATIENCE_S

EVENTS = {"Accept": "text/event-stream"}


class Answer(NamedTuple):
    """What came back, as a whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def events(self) -> list[dict[str, str]]:
        """The fields of each event of a stream; comments have none."""
        frames = [frame.split("\n") for frame in self.body.decode().split("\n\n")]
        return [
            dict(line.split(": ", 1) for line in frame if line and line[0] != ":")
            for frame in frames
            if frame[0] and frame[0][0] != ":"
        ]


def request(
    url: httpx.URL, path: str, body: Any, headers: dict[str, str], token: str = "ada"
) -> bytes:
    """A POST, as it is sent; an underscore in the name of a header is a dash."""
    content = json.dumps(body).encode()
    told = {
        "Host": "localhost",
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Content-Length": str(len(content)),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    return f"POST {url.path}{path} HTTP/1.1\r\n{lines}\r\n".encode() + content


async def unread(url: str, path: str, body: Any, **headers: str) -> socket.socket:
    """A connection on which a question was asked, and nothing is read."""
    loop, address = asyncio.get_running_loop(), httpx.URL(url)
    connection = socket.socket()
    connection.setblocking(False)
    await loop.sock_connect(connection, (address.host, address.port))
    await loop.sock_sendall(connection, request(address, path, body, headers))
    return connection


async def read_late(connection: socket.socket, end: bytes) -> bytes:
    """What had come meanwhile, up to ``end``."""
    loop, read = asyncio.get_running_loop(), bytearray()
    async with asyncio.timeout(PATIENCE_S):
        while not read.endswith(end):
            read += await loop.sock_recv(connection, 2**20)
    return bytes(read)


class Wire:
    """One connection that stays open; one request at a time.

    Raises:
        OSError, EOFError: the connection broke, or was refused.
    """

    def __init__(self, url: str, token: str = "ada") -> None:
        self._url = httpx.URL(url)
        self._token = token
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def post(self, path: str, body: Any, **headers: str) -> Answer:
        """Ask, and read all of the answer."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                await self.ask(path, body, headers)
                return await self._answer()
            except (OSError, EOFError):
                self.drop()
                raise

    async def ask(self, path: str, body: Any, headers: dict[str, str]) -> None:
        """Ask, and leave the answer to be read."""
        url = self._url
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(url.host, url.port)
        self._writer.write(request(url, path, body, headers, self._token))

    async def read_past(self, mark: bytes) -> None:
        """Read so far; what follows may have been read, too."""
        assert self._reader is not None, "it was asked"
        async with asyncio.timeout(PATIENCE_S):
            await self._reader.readuntil(mark)

    def drop(self) -> None:
        """Hang up without a word."""
        if self._writer is not None:
            self._writer.transport.abort()
        self._reader = self._writer = None

    async def _answer(self) -> Answer:
        assert self._reader is not None, "it was asked"
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        if "content-length" in headers:
            body = await self._reader.readexactly(int(headers["content-length"]))
        elif "transfer-encoding" in headers:
            body = await self._chunks(self._reader)
        else:
            body = b""
        if headers.get("connection") == "close":
            self.drop()
        return Answer(int(lines[0].split()[1]), headers, body)

    async def _chunks(self, reader: asyncio.StreamReader) -> bytes:
        read = bytearray()
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            read += (await reader.readexactly(size + 2))[:-2]
        await reader.readexactly(2)
        return bytes(read)
