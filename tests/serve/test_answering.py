"""What a keeper holds for requests: nothing of one that nobody waits for."""

from __future__ import annotations

import asyncio
from functools import partial

from stageflow_actors import Settings
from stageflow_actors.actors.channel import Post
from stageflow_actors.actors.exchange import answered
from stageflow_actors.actors.parcels import unwrap, wrap
from stageflow_actors.serving.replicas.answering import Answering
from stageflow_actors.serving.replicas.messages import Answer, Ask, Leave


class Slow:
    """A desk that says where a run is once it may."""

    def __init__(self):
        self.asked = []
        self.may = asyncio.Event()

    async def look(self, run_id, _tenant):
        self.asked.append(run_id)
        await self.may.wait()
        return run_id

    run = again = cancel = read = leave = settle = look


async def told(answering, number, *messages):
    """The answers to a call that brings ``messages``, and waits for some."""
    post = Post(number, number, number, number - 1, False, True, messages)
    replies = unwrap(
        await answered(partial(answering.take, "a replica", wrap(post, has_refs=False)))
    )
    return [answer for _number, answers in replies for answer in answers]


async def test_a_request_that_is_left_is_forgotten():
    desk = Slow()
    answering = Answering(desk, Settings())
    first = asyncio.ensure_future(told(answering, 1, Ask(1, "look", ("x", "t"))))
    while not desk.asked:
        await asyncio.sleep(0)
    await asyncio.gather(told(answering, 2, Leave(1)), first)
    assert not answering._working


async def test_a_request_that_is_left_in_the_call_that_brings_it_is_forgotten_too():
    desk = Slow()
    answering = Answering(desk, Settings())
    assert await told(answering, 1, Ask(1, "look", ("x", "t")), Leave(1)) == [Answer(1, None)]
    assert not answering._working
    assert desk.asked == []
    desk.may.set()
    assert await told(answering, 2, Ask(2, "look", ("y", "t"))) == [Answer(2, "y")]
    assert not answering._working
