"""New versions, and the end of an application."""

from __future__ import annotations

import threading

import pytest

from tests.serve.door import SOON, Door
from tests.serving.live import ended, start, until, where

pytestmark = pytest.mark.ray


def test_a_new_version_takes_over_without_an_error_and_knows_the_old_runs(serve_session, gate):
    door = Door(serve_session, "rolling")
    first = {"plain": "tests.serve.flows:plain", "gated": "tests.serve.flows:gated"}
    patient = SOON.model_copy(update={"keeper_left_s": 60.0, "drain_s": 60.0})
    door.deploy(pipelines=first, settings=patient)
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
            running = start(client, "gated", input_text=str(gate))
            old = set(door.keepers())
            second = {**first, "plain": "tests.serve.flows:plain_anew"}
            door.deploy(pipelines=second)
            gate.touch()
            until(lambda: not old & set(door.keepers()), "the end of the first version")
            after = client.post("/v1/pipelines/plain/runs", json={}).json()
            assert after["result"]["outputs"]["echo"]["data"]["version"] == 2
            assert client.get(where(client, before)).content == before.content
            again = client.post("/v1/pipelines/plain/runs", json={}, headers=keyed)
            assert again.content == before.content
            assert ended(client, running)["state"] == "ok"
            stopping.set()
            asking.join()
            assert {status for status, _path, _text in seen} == {200}
            for _status, path, text in seen[:: max(1, len(seen) // 20)]:
                assert client.get(path).text == text
    finally:
        stopping.set()
        asking.join()
        door.delete()


def test_an_application_that_is_deleted_leaves_nothing_behind(serve_session, gate):
    from tests.actors.watching import is_there

    door = Door(serve_session, "leaving")
    door.deploy(pipelines={"plain": "tests.serve.flows:plain", "gated": "tests.serve.flows:gated"})
    with door.client() as client:
        answer = client.post("/v1/pipelines/plain/runs", json={}).json()
        pid = answer["result"]["outputs"]["echo"]["data"]["pid"]
        start(client, "gated", input_text=str(gate))  # nobody opens its gate
        assert is_there(pid)
    door.delete()
    until(lambda: not is_there(pid), "the end of the stage")
    assert door.replicas() == []
