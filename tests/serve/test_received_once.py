"""What a client sends is asked of Serve's proxy once, whatever the request waits for then."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from tests.serve.inside import asked, named
from tests.serving.live import where

pytestmark = pytest.mark.ray

RUNS = "/v1/pipelines/plain/runs"


@contextmanager
def calls_of_proxy():
    """How often the replicas ask, by the ends of the paths that the requests have."""
    proxy = named("serve", "SERVE_PROXY")
    asked(proxy, _count_calls)
    told: list[str] = []
    try:
        yield told
    finally:
        told.extend(asked(proxy, _counted))


def _count_calls(proxy):
    asking, calls = proxy.http_proxy.receive_asgi_messages, []

    async def counted(request):
        calls.append(request.route)
        return await asking(request)

    counted.calls = calls
    proxy.http_proxy.receive_asgi_messages = counted


def _counted(proxy):
    counted = vars(proxy.http_proxy).pop("receive_asgi_messages")
    return counted.calls


def test_a_run_costs_one_call_of_the_proxy(client):
    client.post(RUNS, json={})
    with calls_of_proxy() as calls:
        for _ in range(3):
            assert client.post(RUNS, json={"input_text": "a"}).json()["state"] == "ok"
    assert len(calls) == 3


def test_a_request_without_a_body_costs_none(client):
    path = where(client, client.post(RUNS, json={}))
    with calls_of_proxy() as calls:
        assert client.get(path).json()["state"] == "ok"
        assert client.get(f"{path}/events").status_code == 200
        assert client.delete(path).json()["code"] == "SERVE-RUN-ENDED"
    assert calls == []


def test_a_body_in_parts_is_had_whole(client):
    def parts():
        for part in ('{"input', '_text": "', "a" * 300_000, '"}'):
            yield part.encode()

    headers = {"Content-Type": "application/json"}
    answer = client.post(RUNS, content=parts(), headers=headers)
    assert answer.json()["state"] == "ok", answer.text


def test_who_wishes_not_to_be_cancelled_is_heard_to_go(client):
    """Serve cancels nothing then: the replica has to be told by the proxy."""
    headers = {"X-Request-Disconnect-Disabled": "?1"}
    with calls_of_proxy() as calls:
        assert client.post(RUNS, json={}, headers=headers).json()["state"] == "ok"
    assert len(calls) == 2
