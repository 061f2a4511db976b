"""Sockets between processes of one machine: what they carry, and what follows when they end."""

from __future__ import annotations

import asyncio
import socket
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stageflow_actors import Settings
from stageflow_actors.actors.channel import Channel
from stageflow_actors.actors.direct_door import DirectDoor, path_of
from stageflow_actors.actors.direct_frames import ANSWER, Frames, frame
from stageflow_actors.actors.direct_line import DirectCallError, DirectLine
from stageflow_actors.actors.exchange import Exchange, answered
from tests.actors.wires import Call


def nobody():
    """Wants to hear of it."""


PARCELS = st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 1), st.binary(max_size=40)))


@given(PARCELS, st.lists(st.integers(1, 30), min_size=1))
def test_frames_come_out_as_they_went_in_however_the_stream_is_cut(parcels, cuts):
    sent = b"".join(frame(*each) for each in parcels)
    frames, taken, start, turn = Frames(), [], 0, 0
    while start < len(sent):
        size = cuts[turn % len(cuts)]
        taken += frames.feed(sent[start : start + size])
        start, turn = start + size, turn + 1
    assert taken == parcels


@pytest.fixture
async def door():
    """Answers with the caller and what it was told, reversed; ``b"wait"`` is never answered."""

    def take(caller, body, respond):
        if body == b"wait":
            return
        if body == b"raise":
            raise ValueError
        if body == b"fail":
            respond(ValueError())
        elif body == b"references":
            respond((b"", ["a reference"]))
        else:
            respond(f"{caller}:".encode() + body[::-1])

    opened = await DirectDoor.open(take, "here")
    assert opened is not None
    yield opened
    opened._server.close()


async def ended(call):
    done = asyncio.Event()
    call.add_done_callback(lambda _call: done.set())
    await done.wait()
    return call


async def test_calls_are_answered_each_with_its_own(door):
    line = await DirectLine.connect(door.address, "me", nobody)
    calls = [line.call(bytes([number]) * 3) for number in range(50)]
    for number, call in enumerate(calls):
        assert (await ended(call)).result() == b"me:" + bytes([number]) * 3
    line.close()


async def test_what_is_larger_than_any_buffer_arrives(door):
    line = await DirectLine.connect(door.address, "me", nobody)
    large = bytes(range(256)) * 40_000
    calls = [line.call(large), line.call(b"ab")]
    assert (await ended(calls[0])).result() == b"me:" + large[::-1]
    assert (await ended(calls[1])).result() == b"me:ba"
    line.close()


@pytest.mark.parametrize("body", [b"references", b"raise", b"fail"])
async def test_what_only_ray_can_carry_is_left_to_it(door, body):
    line = await DirectLine.connect(door.address, "me", nobody)
    with pytest.raises(DirectCallError):
        (await ended(line.call(body))).result()
    assert (await ended(line.call(b"ab"))).result() == b"me:ba"
    line.close()


async def test_who_does_not_know_the_token_is_answered_nothing(door):
    wrong = door.address._replace(token=bytes(len(door.address.token)))
    line = await DirectLine.connect(wrong, "me", nobody)
    call = line.call(b"ab")
    with pytest.raises(DirectCallError):
        (await ended(call)).result()
    assert not line.is_open
    # Nor is one that says nothing of it, and sends what would be a parcel.
    stranger = socket.socket(socket.AF_UNIX)
    stranger.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(stranger, path_of(door.address.name))
    await loop.sock_sendall(stranger, frame(1, ANSWER, b""))
    assert await loop.sock_recv(stranger, 100) == b""
    stranger.close()


async def test_calls_of_a_line_that_is_closed_come_to_nothing(door):
    line = await DirectLine.connect(door.address, "me", nobody)
    call = line.call(b"wait")
    line.close()
    with pytest.raises(DirectCallError):
        (await ended(call)).result()
    line.close()


async def test_who_hangs_up_is_told_from_who_is_hung_up_on():
    broken, told = asyncio.Event(), []

    def take(_caller, body, respond):
        respond(body)

    door = await DirectDoor.open(take, "here")
    left = await DirectLine.connect(door.address, "me", lambda: told.append("left"))
    left.close()
    wrong = door.address._replace(token=bytes(len(door.address.token)))
    await DirectLine.connect(wrong, "me", broken.set)
    await broken.wait()
    assert told == []
    door._server.close()


async def test_a_door_that_is_gone_cannot_be_reached():
    def take(_caller, body, respond):
        respond(body)

    gone = await DirectDoor.open(take, "here")
    gone._server.close()
    await gone._server.wait_closed()
    with pytest.raises(OSError, match="refused"):
        await DirectLine.connect(gone.address, "me", nobody)


class Ways:
    """To one ``Exchange``: a direct line, which breaks off now and then, and Ray beside it."""

    def __init__(self, exchange, line):
        self._exchange = exchange
        self._line = line
        self.by_ray = 0

    def send(self, parcel):
        return self._line.call(parcel) if self._line.is_open else self.send_by_ray(parcel)

    def send_by_ray(self, parcel):
        self.by_ray += 1
        call = Call(parcel, lambda parcel: answered(partial(self._exchange.take, parcel)))
        trip = asyncio.ensure_future(call.trip())
        call.trip_task = trip
        return call


@pytest.mark.parametrize("breaks_after", [0, 1, 2, 3])
async def test_a_channel_goes_on_by_ray_and_nothing_is_lost_or_begun_twice(breaks_after):
    begun, taken, settings = [], [], Settings()
    arrived = 0

    def begin(number):
        begun.append(number)
        exchange.tell(number, 1)

    exchange = Exchange(begin, settings)

    def direct(_caller, parcel, respond):
        nonlocal arrived
        arrived += 1
        if arrived > breaks_after:
            exchange.take(parcel, lambda _told: None)  # it has worked, and nobody hears of it
            line.close()
        exchange.take(parcel, respond)

    door = await DirectDoor.open(direct, "here")
    line = await DirectLine.connect(door.address, "me", nobody)
    ways, faults = Ways(exchange, line), []
    everything = asyncio.Event()

    def take(reply):
        taken.append(reply)
        if len(taken) == 20:
            everything.set()

    channel = Channel(ways, lambda: len(taken) < 20, take, faults.append, settings)
    for number in range(20):
        channel.put(number, 1)
        while number % 4 == 0 and len(taken) < number:  # in several calls
            await asyncio.sleep(0)
    await everything.wait()
    assert begun == list(range(20))
    assert taken == list(range(20))
    assert faults == []
    assert ways.by_ray
    channel.unsent()
    exchange.release()
    door._server.close()
