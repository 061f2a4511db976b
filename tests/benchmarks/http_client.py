"""A client that costs little: what is measured is the other side, on the same two cores."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

AsyncChunks = AsyncGenerator[bytes, None]


class Connection:
    """One connection that stays open; one request at a time."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def close(self) -> None:
        """Hang up."""
        if self._writer is not None:
            self._writer.close()
            self._reader = self._writer = None

    async def post(self, path: str, body: Any, headers: str = "") -> bytes:
        """What the answer says, which has to be 200."""
        reader = await self._ask(path, body, headers)
        head = await self._head(reader)
        if b"content-length: " in head:
            length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
            return await reader.readexactly(length)
        return b"".join([chunk async for chunk in self._chunks(reader)])

    async def stream(self, path: str, body: Any, headers: str = "") -> AsyncChunks:
        """The answer as its chunks arrive."""
        reader = await self._ask(path, body, headers)
        await self._head(reader)
        return self._chunks(reader)

    async def _ask(self, path: str, body: Any, headers: str) -> asyncio.StreamReader:
        if self._reader is None or self._writer is None:
            opened = await asyncio.open_connection(self._host, self._port)
            self._reader, self._writer = opened
        content = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        head += f"{headers}Content-Length: {len(content)}\r\n\r\n"
        self._writer.write(head.encode() + content)
        return self._reader

    async def _head(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        return head.lower()

    async def _chunks(self, reader: asyncio.StreamReader) -> AsyncChunks:
        while True:
            size = int((await reader.readline()).split(b";")[0], 16)
            chunk = await reader.readexactly(size + 2)
            if not size:
                return
            yield chunk[:-2]
