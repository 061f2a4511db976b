"""The mailbox without losses: what travels in which call, who waits for whom, who is forgotten."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

import pytest

from stageflow_actors import RuntimeFault, Settings
from stageflow_actors.actors import stage_actor
from stageflow_actors.actors.channel import Channel, Post
from stageflow_actors.actors.exchange import Exchanges, answered
from stageflow_actors.actors.messages import pack, unpack
from stageflow_actors.actors.stage_actor import StageActor
from tests.actors.wires import Call, Ends, settle

CROWD = 64
"""As many callers as an actor knows before it looks which of them are silent."""
LONG_S = 100.0
VERY_LONG_S = 1_000.0


# --- what travels in a call -----------------------------------------------------------------------


async def test_a_lone_message_takes_one_call_which_brings_its_reply():
    ends = Ends()
    ends.put("a")
    await settle()
    assert (ends.begun, ends.taken) == (["a"], [])
    ends.reply("a")
    await settle()
    assert ends.taken == ["re a"]
    assert len(ends.calls) == ends.channel.calls == 1
    assert ends.open_calls == []


async def test_messages_of_one_turn_of_the_loop_travel_in_one_call():
    ends = Ends()
    ends.put("a", "b", "c")
    await settle()
    assert ends.begun == ["a", "b", "c"]
    assert ends.travelled == [["a", "b", "c"]]


async def test_replies_of_one_turn_of_the_loop_travel_in_one_answer():
    ends = Ends()
    ends.put("a", "b", "c")
    await settle()
    ends.reply("a", "b", "c")
    await settle()
    assert ends.taken == ["re a", "re b", "re c"]
    assert len(ends.calls) == 1


async def test_while_two_calls_are_under_way_further_messages_are_gathered():
    ends = Ends(is_held=True)
    for message in "abcd":
        ends.put(message)
        await settle()
    assert ends.travelled == [["a"], ["b"]]
    await ends.finish()
    assert ends.travelled == [["a"], ["b"], ["c", "d"]]
    assert ends.begun == ["a", "b", "c", "d"]


async def test_a_call_carries_no_more_messages_than_it_may():
    ends = Ends(is_held=True, max_messages_per_call=2)
    ends.put("a", "b", "c", "d", "e")
    await settle()
    assert ends.travelled == [["a", "b"], ["c", "d"]]
    await ends.finish()
    assert ends.travelled == [["a", "b"], ["c", "d"], ["e"]]


async def test_a_call_carries_no_more_bytes_than_it_may_and_a_larger_message_travels_alone():
    ends = Ends(is_held=True, max_bytes_per_call=100)
    for message, size in (("a", 60), ("b", 40), ("large", 500), ("c", 1), ("d", 99), ("e", 1)):
        ends.put(message, size=size)
    await ends.finish()
    assert ends.travelled == [["a", "b"], ["large"], ["c", "d"], ["e"]]


async def test_an_answer_carries_no_more_bytes_than_it_may_and_a_larger_reply_travels_alone():
    ends = Ends(is_held=True, max_bytes_per_call=100)
    ends.put("a", "b", "large", "c")
    await settle()
    ends.calls[0].arrive()
    await settle()
    for message, size in (("a", 60), ("b", 40), ("large", 500), ("c", 1)):
        ends.reply(message, size=size)
    taken = []
    for number in range(3):
        await settle()
        call = ends.calls[number]
        if not call.has_arrived:
            call.arrive()
            await settle()
        call.come_back()
        await settle()
        taken.append(len(ends.taken))
    assert taken == [2, 3, 4]
    assert ends.taken == ["re a", "re b", "re large", "re c"]


# --- who waits for whom ---------------------------------------------------------------------------


async def test_a_slow_message_holds_nobody():
    ends = Ends()
    ends.put("slow")
    await settle()
    for number in range(20):
        ends.put(f"quick {number}")
        await settle()
        ends.reply(f"quick {number}")
        await settle()
    assert ends.begun == ["slow", *(f"quick {number}" for number in range(20))]
    assert ends.taken == [f"re quick {number}" for number in range(20)]
    ends.reply("slow")
    await settle()
    assert ends.taken[-1] == "re slow"


async def test_a_newer_call_releases_the_older_one():
    ends = Ends()
    ends.put("a")
    await settle()
    ends.put("b")
    await settle()
    older, newer = ends.calls
    assert (older.is_told, newer.is_told) == (True, False)
    ends.reply("a", "b")
    await settle()
    assert ends.taken == ["re a", "re b"]
    assert len(ends.calls) == 2


async def test_replies_that_are_there_when_a_newer_call_comes_do_not_cost_another_one():
    ends = Ends(is_held=True)
    ends.put("a")
    await settle()
    ends.calls[0].arrive()
    ends.put("b")
    await settle()
    ends.calls[1].arrive()
    ends.reply("a")  # in the same turn of the loop
    await settle()
    assert (ends.calls[0].is_answered, ends.calls[1].is_answered) == (True, False)


async def test_an_idle_channel_has_no_open_call_and_one_that_is_due_a_reply_has():
    ends = Ends()
    ends.put("a", "b")
    await settle()
    ends.reply("a")
    await settle()
    assert ends.taken == ["re a"]
    assert len(ends.open_calls) == 1
    ends.reply("b")
    await settle()
    assert ends.open_calls == []


async def test_a_reply_that_cannot_be_taken_costs_no_other():
    told = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, about: told.append(about))
    ends, taken = Ends(), []

    def take(reply):
        ends.due -= 1
        if reply == "re bad":
            raise ValueError(reply)
        taken.append(reply)

    ends._take = take
    ends.channel._take = take
    ends.put("bad", "good")
    await settle()
    ends.reply("bad", "good")
    await settle()
    assert taken == ["re good"]
    assert [str(about["exception"]) for about in told] == ["re bad"]


def test_a_reply_after_the_end_of_its_event_loop_is_nobodys_business(caplog):
    ends = []

    async def leave():
        ends.append(Ends(is_held=True))
        ends[0].put("a")
        await settle()

    asyncio.run(leave())
    with caplog.at_level(logging.DEBUG, logger="concurrent.futures"):
        ends[0].calls[0].lose()
    assert caplog.records == []


async def test_what_was_meant_for_another_process_is_refused(monkeypatch):
    monkeypatch.setattr(stage_actor, "hide_gpus", lambda: None)
    actor = StageActor(Settings(direct_calls=False), None)
    post = pack(tuple(Post(1, 1, 1, 0, False, False, ())))
    await actor.prepare({}, {}, epoch=3)
    for epoch in (2, 4):
        with pytest.raises(RuntimeFault, match=f"process {epoch}"):
            await actor.exchange(epoch, post)
    assert unpack(await actor.exchange(3, post)) == ()


# --- many callers ---------------------------------------------------------------------------------


class Crowd:
    """Callers of one actor. A message says who sends it."""

    def __init__(self):
        self.begun = []
        self.exchanges = Exchanges(self._begin, Settings())

    def _begin(self, exchange, message):
        exchange.due += 1
        self.begun.append((exchange, message))

    def reply_to(self, message):
        (exchange,) = {exchange for exchange, begun in self.begun if begun == message}
        exchange.due -= 1
        exchange.tell(f"re {message}", 1)

    def caller(self, name):
        return Caller(name, self.take)

    def take(self, name, packed):
        return answered(partial(self.exchanges.take, name, packed))

    def exchanges_of(self, name):
        """More than one where it was forgotten."""
        return {exchange for exchange, message in self.begun if message.startswith(f"{name}:")}

    async def fill(self, name="one of many"):
        """With callers who have had their reply."""
        for number in range(CROWD):
            await self.serve(self.caller(f"{name} {number}"), "a")

    async def serve(self, caller, text):
        """Have it send a message and get the reply."""
        caller.put(text)
        await settle()
        self.reply_to(f"{caller.name}:{text}")
        await settle()
        assert caller.taken[-1] == f"re {caller.name}:{text}"


class Caller:
    def __init__(self, name, take):
        self.name = name
        self.taken = []
        self._take_parcel = take
        self._due = 0
        self._trips = set()
        self._channel = Channel(self, lambda: self._due > 0, self._take, print, Settings())

    def put(self, text):
        self._due += 1
        self._channel.put(f"{self.name}:{text}", 1)

    def send(self, packed):
        call = Call(packed, lambda packed: self._take_parcel(self.name, packed))
        trip = asyncio.ensure_future(call.trip())
        self._trips.add(trip)
        trip.add_done_callback(self._trips.discard)
        return call

    def _take(self, reply):
        self._due -= 1
        self.taken.append(reply)


@pytest.fixture
def later(monkeypatch):
    """Call it, and the event loop takes it to be so many seconds later."""

    def pass_time(seconds):
        loop = asyncio.get_running_loop()
        now = loop.time
        monkeypatch.setattr(loop, "time", lambda: now() + seconds)

    return pass_time


async def test_who_waits_for_a_reply_is_never_forgotten(later):
    crowd = Crowd()
    waiting = crowd.caller("waiting")
    waiting.put("a")
    await crowd.fill()
    later(VERY_LONG_S)
    await crowd.fill("one of others")
    crowd.reply_to("waiting:a")
    await settle()
    assert waiting.taken == ["re waiting:a"]


async def test_who_has_all_its_replies_is_forgotten_when_it_was_silent_for_long(later):
    crowd = Crowd()
    silent, recent = crowd.caller("silent"), crowd.caller("recent")
    await crowd.serve(recent, "a")
    await crowd.serve(silent, "a")
    await crowd.fill()
    later(LONG_S)
    await crowd.serve(recent, "b")
    await crowd.serve(crowd.caller("new"), "a")
    await crowd.serve(silent, "c")
    await crowd.serve(recent, "c")
    assert silent.taken == ["re silent:a", "re silent:c"]
    assert recent.taken == ["re recent:a", "re recent:b", "re recent:c"]
    assert [len(crowd.exchanges_of(name)) for name in ("silent", "recent")] == [2, 1]


async def test_replies_that_nobody_fetches_are_kept_longer_but_not_for_ever(later):
    crowd = Crowd()
    fetch = Post(2, 2, 1, 0, False, False, ())
    await crowd.take("gone", pack(tuple(Post(1, 1, 1, 0, False, False, ("gone:a",)))))
    crowd.reply_to("gone:a")
    await crowd.fill()
    later(LONG_S)
    await crowd.serve(crowd.caller("new"), "a")
    assert unpack(await crowd.take("gone", pack(tuple(fetch)))) == ((1, ["re gone:a"]),)

    crowd.exchanges_of("gone").pop().tell("for nobody", 1)
    await crowd.fill("one of others")
    later(VERY_LONG_S)
    await crowd.serve(crowd.caller("newer"), "a")
    fetch = fetch._replace(serial=3, number=3)
    assert unpack(await crowd.take("gone", pack(tuple(fetch)))) == ()


async def test_a_call_that_is_open_when_its_caller_is_forgotten_is_answered(later):
    crowd = Crowd()
    post = Post(1, 1, 1, 0, is_lossy=False, listens=True, messages=())
    is_open = asyncio.ensure_future(crowd.take("listening", pack(tuple(post))))
    await crowd.fill()
    assert not is_open.done()
    later(LONG_S)
    await crowd.serve(crowd.caller("new"), "a")
    assert unpack(await is_open) == ()
