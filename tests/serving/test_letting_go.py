"""What was sent of a stream is let go before the next is waited for: many wait at a time."""

from __future__ import annotations

import asyncio
import weakref
from contextlib import nullcontext
from types import SimpleNamespace
from uuid import uuid4

from stageflow_actors.serving import ServingSettings
from stageflow_actors.serving.desk import Entries, Entry
from stageflow_actors.serving.event_stream import EventStream
from tests.serving.desks import reading


class Name(str):
    """The type of an entry, which shows whether that is still there."""


async def test_nothing_that_was_sent_is_held_while_the_next_is_waited_for():
    made, held = [], []

    def entries(number):
        each = Entry(number, Name("stream.token"), b"{}")
        made.append(weakref.ref(each.type))
        return Entries((each,), number, 0, is_over=False)

    async def read(asked):
        held.append([name() is not None for name in made])
        if asked.after == 2:
            return Entries((), 2, 0, is_over=True)
        return entries(asked.after + 1)

    async def send(_message):
        pass

    service = SimpleNamespace(
        settings=ServingSettings(), streaming=lambda _tenant: nullcontext(), read=read
    )
    run = SimpleNamespace(run_id=uuid4())
    stream = EventStream(service, reading(run), entries(1))
    await stream({}, asyncio.Event().wait, send)
    assert held == [[False], [False, False]]
