"""Several replicas, one pipeline: whichever answers, it knows every run."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.serving.live import Frames, ended, frames, start, until, where

pytestmark = pytest.mark.ray


def executions(gate):
    noted = gate.with_suffix(".executions")
    return noted.read_text() if noted.exists() else ""


def test_any_replica_answers_for_any_run(door, client):
    """Each request may reach another replica; enough of them reach both."""
    assert len(door.replicas()) == 2
    answers = [client.post("/v1/pipelines/plain/runs", json={"input_text": "a"}) for _ in range(12)]
    assert {each.status_code for each in answers} == {200}
    for answer in answers:
        path = where(client, answer)
        link = answer.json()["links"]["self"]
        assert link == answer.headers["location"] == f"/{door.name}{path}"
        assert client.get(path).content == answer.content
        told = frames(client, path)
        assert [int(each["id"]) for each in told] == list(range(1, len(told) + 1))
        assert told[-1]["event"] == "run.ended"
        assert frames(client, path, after=2) == told[2:]


def test_the_run_of_another_tenant_is_unknown_at_every_replica(door, client):
    path = where(client, client.post("/v1/pipelines/plain/runs", json={}))
    with door.client("eve") as stranger:
        codes = {stranger.get(path).json()["code"] for _ in range(8)}
    assert codes == {"SERVE-RUN-UNKNOWN"}


def test_a_run_is_watched_and_cancelled_through_any_replica(client, gate):
    path = start(client, "gated", input_text=str(gate))
    until(lambda: executions(gate), "the start of the stage")
    with client.stream("GET", f"{path}/events") as answer:
        told = iter(Frames(answer.iter_lines()))
        first = next(each for each in told if each["event"] == "stream.token")
        assert json.loads(first["data"])["data"] == "begun"
        assert client.delete(path).status_code == 202
        last = [*told][-1]
    assert json.loads(last["data"])["state"] == "cancelled"
    assert ended(client, path)["result"]["reason"] == "the client asked"


def test_one_key_is_one_run_at_all_replicas(client, gate):
    def ask():
        return client.post(
            "/v1/pipelines/gated/runs",
            json={"input_text": str(gate)},
            headers={"Idempotency-Key": "one"},
        )

    with ThreadPoolExecutor(8) as pool:
        asking = [pool.submit(ask) for _ in range(8)]
        until(lambda: executions(gate), "the run")
        gate.touch()
        answers = [each.result() for each in asking]
    assert {each.status_code for each in answers} == {200}
    assert len({each.content for each in answers}) == 1
    assert ask().content == answers[0].content
    assert executions(gate) == "x"


def test_a_bound_of_a_tenant_holds_across_replicas(client, gate):
    paths = [start(client, "gated", input_text=str(gate)) for _ in range(20)]
    refused = [client.post("/v1/pipelines/gated/runs", json={}) for _ in range(6)]
    assert {each.json()["code"] for each in refused} == {"SERVE-TOO-MANY-RUNS"}
    gate.touch()
    assert {ended(client, path)["state"] for path in paths} == {"ok"}


def test_a_client_that_goes_cancels_its_run(door, client, gate):
    url = httpx.URL(door.url)
    body = json.dumps({"input_text": str(gate)}).encode()
    with socket.create_connection((url.host, url.port)) as connection:
        head = f"POST {url.path}/v1/pipelines/gated/runs HTTP/1.1\r\nHost: x\r\n"
        head += "Authorization: Bearer ada\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        until(lambda: executions(gate), "the run")
    until(lambda: not still_working(client), "the cancel")
    assert executions(gate) == "x"


def still_working(client):
    """Whether the one process of the pipeline has anything to do: it has room for 20 runs."""
    answers = [client.post("/v1/pipelines/gated/runs", json={}, headers=ASYNC) for _ in range(20)]
    taken = [where(client, each) for each in answers if each.status_code == 202]
    for path in taken:
        client.delete(path)
    for path in taken:
        ended(client, path)
    return len(taken) < 20


ASYNC = {"Prefer": "respond-async"}


def test_a_replica_that_is_killed_takes_no_run_along(door, client, gate):
    path = start(client, "gated", input_text=str(gate))
    with client.stream("GET", f"{path}/events") as answer:
        had = next(each for each in Frames(answer.iter_lines()) if each["event"] == "stream.token")
    for _ in range(2):
        door.kill_replica()
        assert until(lambda: asked(client, path), "an answer").json()["state"] == "running"
    gate.touch()
    assert ended(client, path)["result"]["outputs"]["wait"]["data"] == {"executions": 1}
    rest = frames(client, path, after=had["id"])
    assert int(rest[0]["id"]) == int(had["id"]) + 1
    assert rest[-1]["event"] == "run.ended"
    until(lambda: len(door.replicas()) == 2, "the next replica")


def asked(client, path):
    """The answer, once there is a replica again that gives one."""
    try:
        answer = client.get(path)
    except httpx.TransportError:
        return None
    return answer if answer.status_code < 500 else None


def test_a_keeper_that_is_killed_is_replaced_and_who_waited_is_told(door, client, gate):
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(
            client.post, "/v1/pipelines/gated/runs", json={"input_text": str(gate)}
        )
        until(lambda: executions(gate), "the run")
        door.kill_keeper("gated")
        lost = asking.result()
    assert (lost.status_code, lost.json()["code"]) == (503, "SERVE-UNAVAILABLE")
    assert int(lost.headers["retry-after"]) >= 1
    gate.touch()
    again = client.post("/v1/pipelines/gated/runs", json={"input_text": str(gate)})
    assert again.json()["state"] == "ok"
