"""What is done for a client, as long as it is there."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

Answer = TypeVar("Answer")
_CANCELLED = "stageflow_actors.cancelled"


def note_server_cancels(scope: Scope) -> None:
    """Take note that the server cancels this request when its client goes, and says nothing else.

    That is in ``extensions`` of the request: ASGI 3.0, "Extensions".
    """
    scope["extensions"] = {**(scope.get("extensions") or {}), _CANCELLED: {}}


async def while_there(
    scope: Scope, receive: Receive, working: Coroutine[Any, Any, Answer]
) -> Answer:
    """What ``working`` returns; it is cancelled when the client goes. The body has been read.

    Raises:
        ClientDisconnect: the client has gone.
    """
    if _CANCELLED in (scope.get("extensions") or ()):
        return await working
    work = asyncio.ensure_future(working)
    leaving = asyncio.ensure_future(_left(receive))
    waiting: set[asyncio.Future[Any]] = {work, leaving}
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:  # some servers say by cancelling that the client has gone
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
    if work.cancelled():
        raise ClientDisconnect
    return work.result()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
