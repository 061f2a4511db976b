"""Which requests are had from Serve's proxy once, and are cancelled by Serve when left."""

from __future__ import annotations

import asyncio
import pickle

import pytest

from stageflow_actors.serving.presence import while_there
from stageflow_actors.serving.replicas.received_once import ReceivedOnce

BODY = {"type": "http.request", "body": b"{}", "more_body": False}
GOES = {"type": "http.disconnect"}


class Received:
    """What Serve gives a replica to receive with; it has to be asked in the background."""

    def __init__(self, *, is_serve=True):
        self.asked = 0
        if is_serve:
            self._receive_asgi_messages = self._ask

    async def _ask(self, _request):
        self.asked += 1
        return pickle.dumps([BODY])

    async def __call__(self):
        await asyncio.sleep(0)
        return GOES


def scope(*headers, type_="http"):
    return {"type": type_, "headers": [(b"content-length", b"2"), *headers]}


async def is_heard_to_go(scope, receive):
    """Whether whoever serves the request listens for its client to go."""
    listened = []

    async def listening():
        listened.append("listened")
        return await receive()

    async def app(scope, _receive, _send):
        await while_there(scope, listening, asyncio.sleep(0))

    await ReceivedOnce(app)(scope, receive, None)
    return bool(listened)


async def test_nobody_listens_where_serve_cancels():
    assert not await is_heard_to_go(scope(), Received())


@pytest.mark.parametrize(
    ("scope", "receive"),
    [
        (scope((b"x-request-disconnect-disabled", b"?1")), Received()),
        (scope(type_="websocket"), Received()),
        (scope(), Received(is_serve=False)),
    ],
    ids=["stays", "socket", "no Serve"],
)
async def test_where_serve_does_not_cancel_the_client_is_listened_to(scope, receive):
    assert await is_heard_to_go(scope, receive)


async def test_what_is_there_whole_is_not_asked_for_again():
    receive = Received()

    async def app(_scope, receive, _send):
        assert pickle.loads(await receive._receive_asgi_messages(None)) == [BODY]
        again = asyncio.ensure_future(receive._receive_asgi_messages(None))
        await asyncio.sleep(0)
        assert not again.done()
        again.cancel()

    await ReceivedOnce(app)(scope(), receive, None)
    assert receive.asked == 1
