"""Events as server-sent events: in order, resumed without gap or repeat, always to an end."""

from __future__ import annotations

import itertools
import json
import socket

import pytest

from stageflow_actors import InMemoryEventSink, LocalRuntime
from stageflow_actors.serving import ServingSettings, build_app
from tests.serving import flows
from tests.serving.live import Frames, Live, Tokens, ended, frames, start, until


@pytest.fixture(scope="module")
def impatient(gates):
    """Takes any client for one that does not read, once a MiB waits for it."""
    runtime = LocalRuntime(event_sink=InMemoryEventSink())
    settings = ServingSettings(patience_s=1e-9, max_stall_s=20, heartbeat_s=0.05)
    app = build_app([flows.bursting(gates)], runtime=runtime, verifier=Tokens(), settings=settings)
    server = Live(app).start()
    yield server
    server.stop()


def open_gates(gates, text):
    for number in range(1, 5):
        gates.of(f"{text}.{number}").set()


def test_the_events_of_a_run_come_in_order_and_end_with_its_state(client):
    location = client.post("/v1/pipelines/plain/runs", json={}).headers["location"]
    told = frames(client, location)
    assert [int(each["id"]) for each in told] == list(range(1, len(told) + 1))
    assert [each["event"] for each in told] == [
        "pipeline.created",
        "pipeline.started",
        "stage.echo.started",
        "stage.echo.completed",
        "pipeline.completed",
        "run.ended",
    ]
    assert [json.loads(each["data"])["seq"] for each in told[:-1]] == [1, 2, 3, 4, 5]
    assert json.loads(told[-1]["data"])["state"] == "ok"


def test_events_come_while_the_run_goes_on(client, gates):
    location = start(client, "gated", input_text="watched")
    with client.stream("GET", f"{location}/events") as answer:
        told = iter(Frames(answer.iter_lines()))
        for number in range(1, 5):
            wanted = f"stage.s{number}.started"
            assert any(each["event"] == wanted for each in told)
            gates.of(f"watched.{number}").set()  # nothing goes on before this was read
        assert [each["event"] for each in told][-1] == "run.ended"


@pytest.mark.parametrize("times", range(3))
def test_a_client_that_comes_back_has_no_gap_and_no_repetition(client, gates, times):
    """Cut after every possible event, while the run goes on and after it has ended."""
    text = f"resumed-{times}"
    location = start(client, "gated", input_text=text)
    gate = (f"{text}.{number}" for number in range(1, 5))
    had = []
    lengths = itertools.cycle([1, times + 1, 2])
    while not had or had[-1]["event"] != "run.ended":
        after = had[-1]["id"] if had else None
        headers = {} if after is None else {"Last-Event-ID": after}
        with client.stream("GET", f"{location}/events", headers=headers) as answer:
            told = iter(Frames(answer.iter_lines()))
            for _ in range(next(lengths)):
                frame = next(told, None)
                if frame is None:
                    break
                had.append(frame)
                if frame["event"].endswith(".started") and frame["event"].startswith("stage."):
                    gates.of(next(gate)).set()
    assert had == frames(client, location)
    assert [int(each["id"]) for each in had] == list(range(1, len(had) + 1))


def test_every_position_of_an_ended_run_gives_exactly_the_rest(client):
    location = client.post("/v1/pipelines/plain/runs", json={}).headers["location"]
    told = frames(client, location)
    for position in range(len(told)):
        assert frames(client, location, after=position) == told[position:]


def test_who_had_the_last_event_is_told_not_to_come_back(client):
    location = client.post("/v1/pipelines/plain/runs", json={}).headers["location"]
    last = frames(client, location)[-1]["id"]
    done = client.get(f"{location}/events", headers={"Last-Event-ID": last})
    assert done.status_code == 204


@pytest.mark.parametrize("cursor", ["7", "-1", "1.0", "x", "1e3", "99999999999999999999", "1 2"])
def test_a_position_that_was_never_given_out_is_refused(client, cursor):
    location = client.post("/v1/pipelines/plain/runs", json={}).headers["location"]
    answer = client.get(f"{location}/events", headers={"Last-Event-ID": cursor})
    assert (answer.status_code, answer.json()["code"]) == (400, "SERVE-CURSOR")


def test_a_stream_without_news_has_comments(client, gates):
    location = start(client, "gated", input_text="quiet")
    with client.stream("GET", f"{location}/events") as answer:
        assert any(line.startswith(":") for line in answer.iter_lines())
    open_gates(gates, "quiet")


@pytest.mark.parametrize("pipeline", ["failing", "refusing"])
def test_every_end_has_its_last_event(client, pipeline):
    answer = client.post(f"/v1/pipelines/{pipeline}/runs", json={})
    last = frames(client, answer.headers["location"])[-1]
    assert last["event"] == "run.ended"
    assert json.loads(last["data"])["state"] == answer.json()["state"]


def test_a_cancelled_run_ends_the_stream_that_watches_it(client):
    location = start(client, "gated", input_text="stopped")
    with client.stream("GET", f"{location}/events") as answer:
        told = iter(Frames(answer.iter_lines()))
        next(told)
        client.delete(location)
        last = [*told][-1]
    assert (last["event"], json.loads(last["data"])["state"]) == ("run.ended", "cancelled")


def test_a_client_that_reads_has_everything_of_a_large_burst(client, gates):
    gates.of("read").set()
    location = start(client, "bursting", input_text="read")
    told = frames(client, location)
    pieces = [each for each in told if each["event"] == "burst.piece"]
    assert [json.loads(each["data"])["data"]["number"] for each in pieces] == [*range(flows.BURST)]
    assert told[-1]["event"] == "run.ended"


def test_a_client_that_does_not_read_is_closed_with_the_cursor_to_resume_from(impatient, gates):
    with impatient.client() as client:
        location = start(client, "bursting", input_text="unread")
        with socket.create_connection(impatient.address) as idle:
            head = f"GET {location}/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ada\r\n\r\n"
            idle.sendall(head.encode())
            until(lambda: impatient.service.streams, "the stream")
            gates.of("unread").set()
            ended(client, location)
            until(lambda: impatient.service.closed_unread, "the close")
            until(lambda: not impatient.service.streams, "the end of the stream")
            had = everything(idle)
        last = [line for line in had.splitlines() if line.startswith("data: ")][-1]
        cursor = json.loads(last.removeprefix("data: "))["cursor"]
        ids = [int(line[4:]) for line in had.splitlines() if line.startswith("id: ")]
        assert ids == list(range(1, int(cursor) + 1))
        assert "event: stream.closed" in had
        assert len(had) < flows.BURST * flows.PIECE_BYTES
        rest = []
        while not rest or rest[-1]["event"] != "run.ended":
            position = rest[-1]["id"] if rest else cursor
            part = frames(client, location, after=position)
            rest += [each for each in part if "id" in each]
        assert int(rest[0]["id"]) == int(cursor) + 1
        assert [int(each["id"]) for each in rest][-1] == len(ids) + len(rest)


def everything(connection):
    """What has come in, up to the end of the chunked answer."""
    had = b""
    while not had.endswith(b"0\r\n\r\n"):
        had += connection.recv(65536)
    return had.decode()


def test_streams_that_are_left_leave_nothing_behind(client, live, gates):
    location = start(client, "gated", input_text="left")
    for _ in range(20):
        with client.stream("GET", f"{location}/events") as answer:
            next(iter(answer.iter_lines()))
    until(lambda: not live.service.streams, "the end of all streams")
    open_gates(gates, "left")
    ended(client, location)


ASKS_FOR_EVENTS = {"Accept": "text/event-stream"}


def test_a_run_that_is_started_with_its_events_is_told_from_the_first_to_the_last(client):
    body = {"input_text": "x"}
    path = "/v1/pipelines/plain/runs"
    with client.stream("POST", path, json=body, headers=ASKS_FOR_EVENTS) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        told = list(Frames(answer.iter_lines()))
    assert told == frames(client, answer.headers["location"])
    assert told[-1]["event"] == "run.ended"


def test_a_run_that_cannot_start_is_refused_also_where_events_are_asked_for(client):
    answer = client.post("/v1/pipelines/typed/runs", json={}, headers=ASKS_FOR_EVENTS)
    assert (answer.status_code, answer.json()["code"]) == (422, "SERVE-INPUT")


@pytest.mark.parametrize(("pipeline", "state"), [("gated", "cancelled"), ("lasting", "running")])
def test_who_leaves_the_events_it_asked_for_ends_its_run_or_not(client, gates, pipeline, state):
    body, path = {"input_text": f"left-{pipeline}"}, f"/v1/pipelines/{pipeline}/runs"
    with client.stream("POST", path, json=body, headers=ASKS_FOR_EVENTS) as answer:
        told = iter(Frames(answer.iter_lines()))
        assert any(each["event"] == "stage.s1.started" for each in told)
    location = answer.headers["location"]
    if state == "cancelled":
        assert ended(client, location)["state"] == state
    else:
        assert client.get(location).json()["state"] == state
        open_gates(gates, f"left-{pipeline}")
        assert ended(client, location)["state"] == "ok"
