"""``ReceivedOnce``: what a client sends is asked of Serve's proxy until it is there."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from stageflow_actors.serving.presence import note_server_cancels

_ASK = "_receive_asgi_messages"
_STAYS = (b"x-request-disconnect-disabled", b"?1")
_TELL_OF_BODIES = frozenset({b"content-length", b"transfer-encoding"})

Ask = Callable[[Any], Awaitable[bytes]]


class ReceivedOnce:
    """Middleware of a replica, the outermost: it must be called before the event loop turns.

    Serve's replica asks its proxy again and again for what the client sends, until that has gone,
    each time by a call of an actor: one for the body, and one more that waits for the client to go.
    That one costs both processes a millisecond, and says nothing new: Serve cancels a request whose
    client has gone. Where it does not, as the client wishes, both are made. A request that has no
    body (RFC 9112, section 6.3) needs none at all.

    So nobody has to listen for the client to go, and that is noted with the request. The function
    that asks is an attribute of Serve's own. Where a version of Serve has none of that name,
    everything is as it was without this.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on the request."""
        ask = getattr(receive, _ASK, None)
        if scope["type"] == "http" and ask is not None and _STAYS not in scope["headers"]:
            setattr(receive, _ASK, _until_whole(ask if _has_body(scope) else _nothing))
            note_server_cancels(scope)
        await self._app(scope, receive, send)


def _has_body(scope: Scope) -> bool:
    return any(name in _TELL_OF_BODIES for name, _value in scope["headers"])


async def _nothing(_request: Any) -> bytes:
    return pickle.dumps([{"type": "http.request", "body": b"", "more_body": False}])


def _until_whole(ask: Ask) -> Ask:
    """As ``ask``, but once the body is there it waits, to be cancelled at the request's end."""
    is_whole = False

    async def asked(request: Any) -> bytes:
        nonlocal is_whole
        if is_whole:
            await asyncio.get_running_loop().create_future()
        messages = await ask(request)
        is_whole = any(map(_ends_body, pickle.loads(messages)))
        return messages

    return asked


def _ends_body(message: dict[str, Any]) -> bool:
    return message["type"] == "http.request" and not message.get("more_body", False)
