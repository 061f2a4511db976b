"""What is done for a client ends with it, however the server says that it has gone."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager

import pytest
from starlette.requests import ClientDisconnect

from stageflow_actors.serving import ServingSettings
from stageflow_actors.serving.desk import Entries, Reading
from stageflow_actors.serving.event_stream import NOTHING_YET, EventStream
from stageflow_actors.serving.presence import note_server_cancels, while_there


class Work:
    """Goes on until it is cancelled, and needs a moment to end."""

    def __init__(self):
        self.began = asyncio.Event()
        self.is_over = False

    async def go_on(self):
        self.began.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            self.is_over = True


PLAIN = {"type": "http"}


def cancelling():
    """A request that the server cancels when its client goes."""
    scope = dict(PLAIN)
    note_server_cancels(scope)
    return scope


async def stays():
    await asyncio.Event().wait()


@pytest.mark.parametrize("scope", [PLAIN, cancelling()])
async def test_what_is_done_in_time_is_answered(scope):
    async def work():
        return "done"

    assert await while_there(scope, stays, work()) == "done"


@pytest.mark.parametrize("scope", [PLAIN, cancelling()])
async def test_an_error_of_the_work_is_raised(scope):
    async def work():
        raise KeyError("no such thing")

    with pytest.raises(KeyError):
        await while_there(scope, stays, work())


async def test_it_ends_when_the_client_goes_and_not_with_other_messages():
    work, messages = Work(), iter(["http.request", "http.disconnect"])

    async def receive():
        await work.began.wait()
        return {"type": next(messages)}

    with pytest.raises(ClientDisconnect):
        await while_there(PLAIN, receive, work.go_on())
    assert work.is_over
    assert [*messages] == []


async def test_a_server_that_cancels_is_not_asked_whether_the_client_has_gone():
    asked = []

    async def is_asked():
        asked.append("asked")
        await stays()

    async def work():
        await asyncio.sleep(0)
        return "done"

    assert await while_there(cancelling(), is_asked, work()) == "done"
    assert asked == []


async def test_a_request_may_say_that_there_are_no_extensions_and_keeps_those_there_are():
    none, other = ({"type": "http", "extensions": each} for each in (None, {"http.trailers": {}}))
    assert await while_there(none, stays, asyncio.sleep(0, "done")) == "done"
    for scope in (none, other):
        note_server_cancels(scope)
    assert "http.trailers" in other["extensions"]


@pytest.mark.parametrize("scope", [PLAIN, cancelling()])
async def test_it_has_ended_when_a_server_has_cancelled_it(scope):
    work = Work()
    asking = asyncio.create_task(while_there(scope, stays, work.go_on()))
    await work.began.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert work.is_over


class NotedService:
    """What a stream of events needs of the service; the run says nothing, unless it is over."""

    def __init__(self, *, is_over):
        self.settings = ServingSettings()
        self.is_over = is_over
        self.is_read = asyncio.Event()
        self.cancelled = []
        self.held = []

    @contextmanager
    def streaming(self, _tenant):
        yield

    def hold(self, work):
        self.held.append(asyncio.ensure_future(work))

    async def read(self, reading):
        self.is_read.set()
        if not self.is_over:
            await stays()
        return Entries((), reading.after, 0, is_over=True)

    async def cancel(self, run_id, _tenant):
        self.cancelled.append(run_id)


async def cancelled_by(service, receive, end=None):
    """The runs that are cancelled by a client that receives nothing more, or that ``end`` ends."""

    async def send(_message):
        await asyncio.sleep(0)

    reading = Reading("run", "t", 0, frozenset(), 100, wait_s=0.0)
    answer = EventStream(service, reading, NOTHING_YET, cancels_when_left=True)
    serving = asyncio.create_task(answer({"type": "http"}, receive, send))
    await service.is_read.wait()
    if end is not None:
        end(serving)
    await asyncio.wait({serving})
    await asyncio.gather(*service.held)
    return service.cancelled


async def test_a_run_ends_with_the_client_of_its_stream():
    service = NotedService(is_over=False)

    async def goes():
        await service.is_read.wait()
        return {"type": "http.disconnect"}

    assert await cancelled_by(service, goes) == ["run"]


async def test_a_run_ends_with_a_stream_that_its_server_has_cancelled():
    end = asyncio.Task.cancel
    assert await cancelled_by(NotedService(is_over=False), stays, end) == ["run"]


async def test_a_run_whose_stream_was_sent_to_the_end_is_not_cancelled():
    assert await cancelled_by(NotedService(is_over=True), stays) == []
