"""What is done for a client, as long as it is there."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

Answer = TypeVar("Answer")


async def while_there(request: Request, working: Coroutine[Any, Any, Answer]) -> Answer:
    """What ``working`` returns; it is cancelled when the client goes. The body has been read.

    Raises:
        ClientDisconnect: the client has gone.
    """
    work = asyncio.ensure_future(working)
    leaving = asyncio.ensure_future(_left(request))
    waiting: set[asyncio.Future[Any]] = {work, leaving}
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:  # some servers say by cancelling that the client has gone
        leaving.cancel()
        if not work.done():
            work.cancel()
            await asyncio.wait({work})
    if work.cancelled():
        raise ClientDisconnect
    return work.result()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
