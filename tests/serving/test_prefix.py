"""Below a path of another application every link begins with it, whoever started the run."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from stageflow_actors import InMemoryEventSink, LocalRuntime
from stageflow_actors.serving import build_app
from tests.serving import flows
from tests.serving.live import Tokens
from tests.serving.openai_models import echo, model, one

PREFIX = "/shop"
HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture(scope="module")
def client():
    app = build_app(
        [flows.plain(), model(one("echo", echo), chat="s.text")],
        runtime=LocalRuntime(event_sink=InMemoryEventSink()),
        verifier=Tokens(),
    )
    headers = {"Authorization": "Bearer ada"}
    with TestClient(app, root_path=PREFIX, headers=headers) as asking:
        yield asking


def by_request(client):
    answer = client.post(f"{PREFIX}/v1/pipelines/plain/runs", json={})
    return answer.json()["run_id"]


def by_chat(client):
    body = {"model": "echo", "messages": HELLO}
    answer = client.post(f"{PREFIX}/v1/chat/completions", json=body)
    return answer.headers["x-request-id"]


def by_streamed_chat(client):
    body = {"model": "echo", "messages": HELLO, "stream": True}
    answer = client.post(f"{PREFIX}/v1/chat/completions", json=body)
    return answer.headers["x-request-id"]


def by_socket(client):
    with client.websocket_connect(f"{PREFIX}/v1/ws", subprotocols=["stageflow.v1"]) as socket:
        said = {"type": "start", "ref": "a", "pipeline": "plain", "body": {}, "credit": 10**6}
        socket.send_json(said)
        while (told := socket.receive_json())["type"] != "ended":
            pass
    return told["run"]["run_id"]


@pytest.mark.parametrize("start", [by_request, by_chat, by_streamed_chat, by_socket])
def test_the_links_of_a_run_lead_to_it(client, start):
    run_id = start(client)
    where = f"{PREFIX}/v1/runs/{run_id}"
    found = client.get(where)
    assert found.json()["links"] == {"self": where, "events": f"{where}/events"}
    assert client.get(found.json()["links"]["events"]).status_code == 200


def test_a_problem_says_which_run_it_is_about(client):
    where = f"{PREFIX}/v1/runs/{by_request(client)}"
    refused = client.delete(where)
    assert (refused.status_code, refused.json()["instance"]) == (409, where)
