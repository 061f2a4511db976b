"""The receiving end of a mailbox by itself: when it responds, with what, and whom a defect hits."""

from __future__ import annotations

import asyncio
import threading
from functools import partial

import pytest

from stageflow_actors import Settings
from stageflow_actors.actors.channel import Channel, Post
from stageflow_actors.actors.direct_door import DirectDoor
from stageflow_actors.actors.direct_line import DirectLine
from stageflow_actors.actors.exchange import Exchange, answered
from stageflow_actors.actors.parcels import unwrap, wrap
from stageflow_actors.actors.ray_errors import FaultKind
from tests.actors.wires import settle

LISTENING = Post(1, 1, 1, 0, is_lossy=False, listens=True, messages=())


def packed(post):
    return wrap(tuple(post), has_refs=False)


def nothing(_message):
    """Begin it; its reply comes later."""


def asking(exchange, post=LISTENING):
    """A call of Ray, on its way."""
    return asyncio.ensure_future(answered(partial(exchange.take, packed(post))))


async def test_what_ends_as_it_begins_and_in_the_next_turn_travels_in_one_answer():
    def begin(message):
        exchange.tell(message, 1)
        asyncio.get_running_loop().call_soon(exchange.tell, "later", 1)

    exchange, told = Exchange(begin, Settings()), []
    exchange.take(packed(LISTENING._replace(messages=("now",))), told.append)
    assert told == []
    await settle()
    assert [unwrap(each) for each in told] == [((1, ["now", "later"]),)]


async def test_the_last_reply_is_sent_at_once():
    exchange, told = Exchange(nothing, Settings()), []
    exchange.take(packed(LISTENING), told.append)
    exchange.tell("the last", 1, is_last=True)
    assert [unwrap(each) for each in told] == [((1, ["the last"]),)]


async def test_a_reply_that_cannot_travel_is_the_callers_to_know_and_not_the_tellers():
    exchange = Exchange(nothing, Settings())
    call = asking(exchange)
    await settle()
    exchange.tell(threading.Lock(), 1, is_last=True)
    with pytest.raises(TypeError, match="lock"):
        await call


async def test_who_gave_a_call_up_has_what_it_missed_when_it_comes_again():
    exchange = Exchange(nothing, Settings())
    call = asking(exchange)
    await settle()
    call.cancel()
    await settle()
    exchange.tell("missed", 1, is_last=True)
    again = LISTENING._replace(serial=2, is_lossy=True)
    assert unwrap(await asking(exchange, again)) == ((1, ["missed"]),)


class Ways:
    """To one exchange: a direct line, and Ray beside it."""

    def __init__(self, exchange, line):
        self.send = line.call
        self._exchange = exchange
        self.by_ray = 0

    def send_by_ray(self, parcel):
        self.by_ray += 1
        waiting = asyncio.run_coroutine_threadsafe(
            answered(partial(self._exchange.take, parcel)), asyncio.get_running_loop()
        )
        waiting.future = lambda: waiting
        return waiting


async def test_a_defect_in_what_begins_a_message_ends_the_channel_and_nothing_begins_twice():
    begun, taken = [], []

    def begin(message):
        begun.append(message)
        if message == "b":
            raise KeyError(message)

    exchange = Exchange(begin, Settings())
    door = await DirectDoor.open(lambda _caller, *rest: exchange.take(*rest), "here")
    line = await DirectLine.connect(door.address, "me", lambda: None)
    ways, broken = Ways(exchange, line), asyncio.Queue()
    channel = Channel(ways, lambda: True, taken.append, broken.put_nowait, Settings())
    for message in "abc":
        channel.put(message, 1)
    fault = await broken.get()
    assert (fault.kind, ways.by_ray) == (FaultKind.BROKEN, 1)
    assert "'b'" in f"{fault.error_type}: {fault.text}"
    assert (begun, taken) == (["a", "b"], [])
    line.close()
    door._server.close()
