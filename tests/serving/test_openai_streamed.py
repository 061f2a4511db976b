"""How a streamed answer goes over the wire, without a server."""

from __future__ import annotations

import asyncio
import json
from contextlib import contextmanager
from uuid import UUID

import pytest

from stageflow_actors import DeploymentClosedError
from stageflow_actors.serving import ServingSettings
from stageflow_actors.serving.faults import Fault, ProblemError
from stageflow_actors.serving.openai.outcomes import NoAnswerError
from stageflow_actors.serving.openai.streamed import StreamedAnswer

RUN = UUID(int=7)


class NotedService:
    """What a streamed answer needs of the service."""

    def __init__(self):
        self.settings = ServingSettings(max_stall_s=0.01)
        self.dropped_stalled = 0
        self.streams = 0

    @contextmanager
    def streaming(self, _tenant):
        self.streams += 1
        yield
        self.streams -= 1


class StartedRun:
    async def start(self):
        return RUN


class Parts(StreamedAnswer):
    """Sends what it is given; an exception is raised."""

    def __init__(self, service, *given, last=None):
        super().__init__(service, "t", StartedRun(), "text/event-stream")
        self._given = given
        self._last = last
        self.is_closed = False

    async def parts(self):
        try:
            for each in self._given:
                if isinstance(each, Exception):
                    raise each
                yield each
        finally:
            self.is_closed = True

    def last_words(self, failure):
        return self._last


async def stays():
    await asyncio.Event().wait()


async def sent_by(answer):
    sent = []

    async def send(message):
        sent.append(message)

    await answer({"type": "http"}, stays, send)
    return sent


def body_of(sent):
    return b"".join(each.get("body", b"") for each in sent)


async def test_parts_follow_each_other_and_the_headers_name_the_run():
    service = NotedService()
    sent = await sent_by(Parts(service, b"a", b"b"))
    assert [each.get("body") for each in sent] == [None, b"a", b"b", b""]
    assert [each.get("more_body") for each in sent] == [None, True, True, False]
    headers = dict(sent[0]["headers"])
    assert headers[b"x-request-id"] == str(RUN).encode()
    assert b"content-length" not in headers
    assert service.streams == 0


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NoAnswerError(504, "RUN-TIMEOUT", "late", RUN), 504, "RUN-TIMEOUT"),
        (ProblemError(Fault.RUN_EXPIRED), 404, "SERVE-RUN-EXPIRED"),
        (DeploymentClosedError("/srv/private", hint="x"), 503, "SERVE-UNAVAILABLE"),
    ],
)
async def test_what_goes_wrong_before_the_first_part_is_the_answer(error, status, code):
    sent = await sent_by(Parts(NotedService(), error, last=b"last"))
    assert sent[0]["status"] == status
    assert json.loads(body_of(sent))["error"]["code"] == code
    assert b"private" not in body_of(sent)


async def test_what_goes_wrong_later_is_told_by_the_last_words_or_breaks_off():
    lost = ProblemError(Fault.CURSOR_GONE)
    sent = await sent_by(Parts(NotedService(), b"a", lost, last=b"last"))
    assert (sent[-1]["body"], sent[-1]["more_body"]) == (b"last", False)
    sent = await sent_by(Parts(NotedService(), b"a", lost, last=None))
    assert sent[-1]["more_body"] is True


async def test_a_client_that_reads_nothing_is_left_and_counted():
    service = NotedService()
    answer = Parts(service, b"a", b"b")

    async def send(message):
        if message["type"] == "http.response.body":
            await stays()

    await answer({"type": "http"}, stays, send)
    assert service.dropped_stalled == 1
    assert answer.is_closed


async def test_a_client_that_has_gone_ends_the_answer():
    left = asyncio.Event()
    answer = Parts(NotedService(), b"a", b"b")

    async def receive():
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        if message["type"] == "http.response.body":
            left.set()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            await stays()

    answer._service.settings = ServingSettings()
    await answer({"type": "http"}, receive, send)
    assert answer.is_closed
    assert answer._service.dropped_stalled == 0
