"""What stages stream out, over server-sent events."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest

from stageflow_actors import InMemoryEventSink, LocalRuntime, Pipeline
from stageflow_actors.serving import ServingSettings, build_app
from tests.serving.live import Frames, Live, Tokens, ended, frames, start


def talking(gates):
    """Sends one piece of each kind, waiting at a gate after the first."""

    async def talk(ctx):
        await ctx.stream.send("hello")
        await gates.passed(ctx.snapshot.input_text)
        await ctx.stream.send({"tokens": 4}, audience="internal")
        await ctx.stream.send(b"\x00\xff")
        await ctx.stream.send(np.arange(3, dtype="<i2"))
        return {}

    return Pipeline("talking").with_stage("talk", talk, "work")


async def flood(ctx):
    for number in range(40):
        await ctx.stream.send(bytes([number]) * 1_000)
    return {}


@pytest.fixture(scope="module")
def served(gates):
    return [talking(gates), Pipeline("flooding").with_stage("flood", flood, "work")]


@pytest.fixture(scope="module")
def settings():
    return ServingSettings(max_tape_bytes=20_000, max_stream_bytes=6_000)


def pieces(told):
    return [json.loads(each["data"]) for each in told if each["event"] == "stream.token"]


def test_pieces_come_while_their_stage_goes_on_as_they_were_sent(client, gates):
    location = start(client, "talking", input_text="live")
    with client.stream("GET", f"{location}/events") as answer:
        told = iter(Frames(answer.iter_lines()))
        first = next(each for each in told if each["event"] == "stream.token")
        assert json.loads(first["data"])["data"] == "hello"
        gates.of("live").set()  # nothing goes on before the piece was read
        rest = pieces(told)
    assert [each["piece"] for each in rest] == [3, 4]
    assert base64.b64decode(rest[0]["base64"]) == b"\x00\xff"
    assert rest[1]["array"] == {"dtype": "<i2", "shape": [3]}
    assert np.frombuffer(base64.b64decode(rest[1]["base64"]), "<i2").tolist() == [0, 1, 2]


def test_pieces_that_are_not_for_users_are_shown_to_who_may_see_them(live, client, gates):
    gates.of("inside").set()
    location = start(client, "talking", input_text="inside")
    ended(client, location)
    assert [each["audience"] for each in pieces(frames(client, location))] == ["user"] * 3
    with live.client("insider") as insider:
        shown = pieces(frames(insider, location))
    assert [each["audience"] for each in shown] == ["user", "internal", "user", "user"]
    assert shown[1]["data"] == {"tokens": 4}


def test_a_stream_resumes_within_its_pieces(client, gates):
    gates.of("again").set()
    location = start(client, "talking", input_text="again")
    ended(client, location)
    told = frames(client, location)
    for position, each in enumerate(told):
        if each["event"] != "run.ended":
            assert frames(client, location, after=each["id"]) == told[position + 1 :]


def test_what_one_run_keeps_is_bounded_and_who_comes_too_late_is_told(client):
    location = start(client, "flooding")
    ended(client, location)
    had, after = [], None
    while not had or had[-1]["event"] != "run.ended":
        part = frames(client, location, after=after)
        had += [each for each in part if "id" in each]  # the last says only where it was closed
        after = had[-1]["id"]
    assert int(had[0]["id"]) > 1
    last = json.loads(had[-1]["data"])
    assert last["events_dropped"] >= int(had[0]["id"]) - 2
    numbers = [base64.b64decode(each["base64"])[0] for each in pieces(had)]
    assert numbers == [*range(40 - len(numbers), 40)]
    gone = client.get(f"{location}/events", headers={"Last-Event-ID": "1"})
    assert (gone.status_code, gone.json()["code"]) == (410, "SERVE-CURSOR-GONE")


def test_one_answer_closes_after_so_much_with_the_cursor_to_go_on(client):
    location = start(client, "flooding")
    ended(client, location)
    told = frames(client, location)
    assert told[-1]["event"] == "stream.closed"
    assert json.loads(told[-1]["data"])["cursor"] == told[-2]["id"]
    assert sum(len(each["data"]) for each in told) < 9_000


def test_pieces_of_a_run_that_nobody_watches_hold_nobody_up():
    runtime = LocalRuntime(event_sink=InMemoryEventSink())
    app = build_app(
        [Pipeline("flooding").with_stage("flood", flood, "work")],
        runtime=runtime,
        verifier=Tokens(),
        settings=ServingSettings(stream_window_bytes=1),
    )
    server = Live(app).start()
    try:
        with server.client() as client:
            assert client.post("/v1/pipelines/flooding/runs", json={}).json()["state"] == "ok"
    finally:
        server.stop()
