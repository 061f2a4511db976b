"""New versions, and the end of an application."""

from __future__ import annotations

import threading

import pytest

from tests.actors.watching import is_there
from tests.serve.door import SOON, Door
from tests.serving.live import ended, start, until, where

pytestmark = pytest.mark.ray


FIRST = {"plain": "tests.serve.flows:plain", "gated": "tests.serve.flows:gated"}
ASYNC = "respond-async"
SECOND = {**FIRST, "plain": "tests.serve.flows:plain_anew"}


@pytest.fixture(scope="module")
def door(serve_session):
    """What one test has deployed is there for the next one to delete."""
    served = Door(serve_session, "rolling")
    yield served
    if served.replicas():
        served.delete()


def test_a_new_version_takes_over_without_an_error_and_knows_the_old_runs(door, gate):
    patient = SOON.model_copy(update={"keeper_left_s": 60.0, "drain_s": 60.0})
    door.deploy(pipelines=FIRST, settings=patient)
    seen, stopping = [], threading.Event()

    def ask():
        with door.client() as client:
            while not stopping.is_set():
                answer = client.post("/v1/pipelines/plain/runs", json={})
                seen.append((answer.status_code, where(client, answer), answer.text))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        with door.client() as client:
            until(lambda: seen, "an answer")
            keyed = {"Idempotency-Key": "k"}
            before = client.post("/v1/pipelines/plain/runs", json={}, headers=keyed)
            asked = {"json": {"input_text": str(gate)}, "headers": {**keyed, "Prefer": ASYNC}}
            running = where(client, client.post("/v1/pipelines/gated/runs", **asked))
            old = set(door.keepers())
            door.deploy(pipelines=SECOND)
            assert old & set(door.keepers()), "the run goes on at the first version"
            assert where(client, client.post("/v1/pipelines/gated/runs", **asked)) == running
            gate.touch()
            until(lambda: not old & set(door.keepers()), "the end of the first version")
            after = client.post("/v1/pipelines/plain/runs", json={}).json()
            assert after["result"]["outputs"]["echo"]["data"]["version"] == 2
            assert client.get(where(client, before)).content == before.content
            again = client.post("/v1/pipelines/plain/runs", json={}, headers=keyed)
            assert again.content == before.content
            assert ended(client, running)["result"]["outputs"]["wait"]["data"] == {"executions": 1}
            stopping.set()
            asking.join()
            assert {status for status, _path, _text in seen} == {200}
            for _status, path, text in seen[:: max(1, len(seen) // 20)]:
                assert client.get(path).text == text
    finally:
        stopping.set()
        asking.join()


def test_an_application_that_is_deleted_leaves_nothing_behind(door):
    if not door.replicas():
        door.deploy(pipelines=SECOND)
    with door.client() as client:
        answer = client.post("/v1/pipelines/plain/runs", json={}).json()
        pid = answer["result"]["outputs"]["echo"]["data"]["pid"]
        start(client, "gated")  # nobody opens its gate
        assert is_there(pid)
    door.delete()
    until(lambda: not is_there(pid), "the end of the stage")
    assert door.replicas() == []
