"""What was sent of a stream is let go before the next is waited for: many wait at a time."""

from __future__ import annotations

import asyncio
import weakref
from contextlib import nullcontext
from types import SimpleNamespace
from uuid import uuid4

from stageflow_actors.serving import ServingSettings, event_stream
from stageflow_actors.serving.desk import Entries, Entry
from stageflow_actors.serving.event_stream import EventStream
from stageflow_actors.serving.sse import frame
from tests.serving.desks import reading


class Name(str):
    """The type of an entry, which shows whether that is still there."""


def stream_of(settings, read, found):
    """A service, and a stream of it that sends ``found`` and what is read then."""
    service = SimpleNamespace(
        settings=settings, streaming=lambda _tenant: nullcontext(), read=read, closed_unread=0
    )
    return service, EventStream(service, reading(SimpleNamespace(run_id=uuid4())), found)


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

    _service, stream = stream_of(ServingSettings(), read, entries(1))
    await stream({}, asyncio.Event().wait, send)
    assert held == [[False], [False, False]]


async def bodies_after(bytes_sent, turns, most=2**20):
    """What is sent of an entry of so many bytes, and while the next takes so many turns."""
    sent = []

    async def read(asked):
        for _turn in range(turns):
            await asyncio.sleep(0)
        return Entries((), asked.after, 0, is_over=True)

    async def send(message):
        sent.append(message)

    entry = Entry(1, "stream.token", b"x" * bytes_sent)
    found = Entries((entry,), 1, 0, is_over=False)
    _service, stream = stream_of(ServingSettings(max_stream_bytes=most), read, found)
    await stream({}, asyncio.Event().wait, send)
    assert sent[1]["body"] == frame(entry)
    assert sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
    return [(each["body"], each["more_body"]) for each in sent[2:-1]]


async def test_a_server_that_holds_what_it_sent_last_is_given_nothing_to_hold(monkeypatch):
    monkeypatch.setattr(event_stream, "_MOMENT_S", 0.0)
    assert await bodies_after(bytes_sent=2**16, turns=1_000) == [(b"", True)]


async def test_who_does_not_take_the_empty_body_does_not_keep_up(monkeypatch):
    now = 0.0
    monkeypatch.setattr(event_stream, "_MOMENT_S", 0.0)
    monkeypatch.setattr(event_stream, "time", SimpleNamespace(monotonic=lambda: now))
    sent, settings = [], ServingSettings(max_stream_bytes=2**20)
    one, other = (Entry(number, "stream.token", b"x" * 2**16) for number in (1, 2))

    async def read(asked):
        for _turn in range(1_000):
            await asyncio.sleep(0)
        is_next = asked.after == 1
        unread = settings.max_unread_bytes + 1
        return Entries((other,) if is_next else (), 2, unread, is_over=not is_next)

    async def send(message):
        nonlocal now
        sent.append(message)
        if message.get("body") == b"":
            now += settings.patience_s + 1

    found = Entries((one,), 1, 0, is_over=False)
    service, stream = stream_of(settings, read, found)
    await stream({}, asyncio.Event().wait, send)
    assert service.closed_unread == 1
    assert b"stream.closed" in sent[-2]["body"]


async def test_nothing_more_is_sent_after_little_or_when_the_next_is_there(monkeypatch):
    monkeypatch.setattr(event_stream, "_MOMENT_S", 0.0)
    assert await bodies_after(bytes_sent=2**10, turns=1_000) == []
    assert await bodies_after(bytes_sent=2**16, turns=0) == []
    assert await bodies_after(bytes_sent=2**16, turns=1_000, most=None) == []
