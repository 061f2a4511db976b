"""The mailbox where calls get lost: every message is begun once, every reply taken once."""

from __future__ import annotations

import asyncio
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ray.exceptions import ActorDiedError, ObjectStoreFullError

from stageflow_actors.actors import channel
from stageflow_actors.actors.ray_errors import FaultKind
from tests.actors.wires import Ends, settle

MANY = 1_000_000


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """A lost call is made again in the next turn of the loop."""
    monkeypatch.setattr(channel, "ASK_AGAIN_S", 0)


# --- what is lost ---------------------------------------------------------------------------------


async def test_a_message_whose_request_was_lost_is_begun_once():
    ends = Ends(is_held=True)
    ends.put("a")
    await settle()
    ends.calls[0].lose()
    await ends.finish()
    assert ends.begun == ["a"]
    assert ends.travelled == [["a"], ["a"]]
    assert ends.channel.repeated == 1


async def test_a_message_whose_reply_was_lost_is_begun_once_and_its_reply_taken_once():
    ends = Ends(is_held=True)
    ends.put("a")
    await settle()
    ends.calls[0].arrive()
    await settle()
    ends.reply("a")
    await settle()
    ends.calls[0].lose()
    await ends.finish()
    assert (ends.begun, ends.taken, ends.faults) == (["a"], ["re a"], [])


async def test_replies_that_come_meanwhile_are_taken_in_order():
    ends = Ends(is_held=True)
    ends.put("a", "b")
    await settle()
    ends.calls[0].arrive()
    await settle()
    ends.reply("a")
    await settle()  # it is on its way, and will be lost
    ends.put("c")
    await settle()
    ends.calls[1].arrive()
    await settle()
    ends.reply("b")
    await settle()
    ends.calls[1].come_back()
    await settle()
    assert ends.taken == []
    ends.calls[0].lose()
    await ends.finish()
    assert ends.taken == ["re a", "re b"]
    assert ends.begun == ["a", "b", "c"]


async def test_a_call_that_arrives_after_its_repetition_is_not_begun_again():
    ends = Ends(is_held=True)
    ends.put("a")
    await settle()
    late = ends.calls[0]
    late.lose()
    await ends.finish()
    ends.reply("a")
    await ends.finish()
    ends.put("b")
    await ends.finish()
    late.arrive()
    await settle()
    assert ends.begun == ["a", "b"]


async def test_a_reply_goes_to_the_repetition_of_a_call_that_arrives_together_with_it():
    ends = Ends(is_held=True)
    ends.put("a")
    await settle()
    ends.calls[0].lose()
    await settle()
    for call in ends.calls:
        call.arrive()
    await asyncio.sleep(0)  # both are there, and give what ends in the next turn the time to end
    ends.reply("a")
    await ends.finish()
    assert (len(ends.calls), ends.taken) == (2, ["re a"])


async def test_a_call_that_nobody_listens_to_any_more_gets_no_reply():
    ends = Ends(is_held=True)
    ends.put("a")
    await settle()
    late = ends.calls[0]
    late.lose()
    await ends.finish()
    late.arrive()
    await settle()
    ends.reply("a")
    await ends.finish()
    assert ends.taken == ["re a"]


# --- what is lost for good ------------------------------------------------------------------------


async def test_a_channel_breaks_once_after_too_many_losses_in_a_row():
    ends = Ends(is_held=True, max_unanswered_calls=3)
    ends.put("a")
    for loss in range(4):
        await settle()
        assert ends.faults == []
        assert len(ends.calls) == loss + 1
        ends.calls[-1].lose()
    await settle()
    assert [fault.kind for fault in ends.faults] == [FaultKind.UNANSWERED]
    ends.put("b")
    await settle()
    assert len(ends.calls) == 4


async def test_losses_that_are_not_in_a_row_break_nothing():
    ends = Ends(is_held=True, max_unanswered_calls=1)
    for number in range(5):
        ends.put(f"{number}")
        await settle()
        ends.calls[-1].lose()
        await ends.finish()
        ends.reply(f"{number}")
        await ends.finish()
    assert ends.taken == [f"re {number}" for number in range(5)]
    assert ends.faults == []


async def test_a_channel_to_a_dead_actor_breaks_at_once_and_gives_back_what_was_not_sent():
    ends = Ends(is_held=True)
    for message in "abcd":
        ends.put(message)
        await settle()
    for call in ends.calls:
        call.lose(ActorDiedError())
    await settle()
    assert [fault.kind for fault in ends.faults] == [FaultKind.DIED]
    assert ends.channel.unsent() == ["c", "d"]
    assert ends.channel.unsent() == []
    assert len(ends.calls) == 2


async def test_a_call_that_was_refused_is_made_again_and_says_nothing_of_the_others():
    ends = Ends(is_held=True, max_unanswered_calls=2)
    ends.put("a")
    await settle()
    ends.calls[0].arrive()
    refusals, send = [], ends.send

    def refuse(packed):
        refusals.append(packed)
        if len(refusals) in (1, 2, 4, 5, 6):
            raise ObjectStoreFullError
        return send(packed)

    ends.send = ends.send_by_ray = refuse
    ends.put("b")
    await settle()
    assert ends.travelled == [["a"], ["b"]]
    await ends.finish()
    assert ends.begun == ["a", "b"]
    ends.put("c")
    await settle()
    assert [fault.kind for fault in ends.faults] == [FaultKind.UNANSWERED]


# --- everything together --------------------------------------------------------------------------


class Storm:
    """What happens to messages and calls is chance, until ``calm``."""

    def __init__(self, chance):
        self.chance = chance
        self.ends = Ends(is_held=True, max_unanswered_calls=MANY, max_messages_per_call=3)
        self.put = []
        self.replied = []

    async def blow(self, steps):
        deeds = [self._put, self._reply, self._arrive, self._arrive, self._come_back, self._lose]
        for _step in range(steps):
            self.chance.choice(deeds)()
            for _turn in range(self.chance.randrange(4)):
                await asyncio.sleep(0)

    async def calm(self):
        ends = self.ends
        await ends.finish()
        while unanswered := [each for each in ends.begun if each not in self.replied]:
            self._give(self.chance.choice(unanswered))
            await ends.finish()
        late = [call for call in ends.calls if not call.has_arrived]
        self.chance.shuffle(late)
        for call in late:
            call.arrive()
        await ends.finish()
        assert all(call.is_answered for call in ends.calls if call.is_told)

    async def exchange_one_more(self):
        self._put()
        await self.ends.finish()
        self._give(self.put[-1])
        await self.ends.finish()

    def _put(self):
        message = f"{len(self.put)}"
        self.put.append(message)
        self.ends.put(message)

    def _reply(self):
        open_ = [each for each in self.ends.begun if each not in self.replied]
        if open_:
            self._give(self.chance.choice(open_))

    def _give(self, message):
        self.replied.append(message)
        self.ends.reply(message)

    def _arrive(self):
        """Also of calls that are taken to be lost."""
        self._any(lambda call: not call.has_arrived, lambda call: call.arrive())

    def _come_back(self):
        self._any(lambda call: call.is_answered and not call.is_told, lambda call: call.come_back())

    def _lose(self):
        """The request, the reply, or what is still worked on."""
        self._any(lambda call: not call.is_told, lambda call: call.lose())

    def _any(self, can, do):
        calls = [call for call in self.ends.calls if can(call)]
        if calls:
            do(self.chance.choice(calls))


@settings(max_examples=150, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 120))
def test_whatever_is_lost_or_late_all_is_begun_once_and_all_replies_are_taken_in_order(
    chance, steps
):
    async def weather():
        storm = Storm(chance)
        await storm.blow(steps)
        await storm.calm()
        for _more in range(2):  # the first releases what is open, the second tells that it was
            await storm.exchange_one_more()
        return storm

    storm = asyncio.run(weather())
    ends = storm.ends
    assert sorted(ends.begun) == sorted(storm.put)
    assert ends.taken == [f"re {message}" for message in storm.replied]
    assert ends.faults == []
    assert ends.open_calls == []
    sender, receiver = ends.channel, ends.exchange
    assert (sender._calls, sender._early, sender._unsent) == ({}, {}, deque())
    assert (len(receiver._kept), len(receiver._seen)) == (1, 1)
    assert (receiver._ready, receiver._waiting) == ([], None)
