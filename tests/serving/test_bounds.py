"""What is too much is refused, with a code and, where it helps, the time to come back."""

from __future__ import annotations

import json
import socket

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from stageflow_actors import InMemoryEventSink, LocalRuntime, Settings
from stageflow_actors.serving import ServingSettings, build_app
from stageflow_actors.serving.schemas import Problem
from tests.serving import flows
from tests.serving.live import Live, Tokens, ended, start, until

PATH = "/v1/pipelines/typed/runs"
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def small(gates):
    """Keeps three runs, and takes one at a time."""
    runtime = LocalRuntime(
        event_sink=InMemoryEventSink(), settings=Settings(max_running_runs=1, max_waiting_runs=1)
    )
    settings = ServingSettings(max_kept_runs=3, max_expired_ids=2, max_streams_per_tenant=1)
    pipelines = [flows.plain(), flows.gated(gates)]
    app = build_app(pipelines, runtime=runtime, verifier=Tokens(), settings=settings)
    server = Live(app).start()
    yield server
    server.stop()


def code_of(answer):
    assert answer.headers["content-type"] == "application/problem+json"
    assert Problem.model_validate(answer.json()).status == answer.status_code
    return answer.status_code, answer.json()["code"]


def test_a_body_that_says_that_it_is_too_large_is_refused_unread(live):
    with socket.create_connection(live.address) as connection:
        head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ada\r\n"
        head += "Content-Type: application/json\r\nContent-Length: 999999\r\n\r\n"
        connection.sendall(head.encode())  # and nothing of the body
        answer = ""
        while "}" not in answer:
            answer += connection.recv(65536).decode()
    assert answer.startswith("HTTP/1.1 413")
    assert "SERVE-BODY-SIZE" in answer


def test_a_body_that_says_nothing_of_its_size_is_refused_once_it_is_too_large(client):
    def parts():
        for _ in range(30):
            yield b" " * 1000

    answer = client.post(PATH, content=parts(), headers=JSON)
    assert code_of(answer) == (413, "SERVE-BODY-SIZE")


def test_nothing_of_a_request_is_read_before_it_is_known_who_asks(live):
    with socket.create_connection(live.address) as connection:
        head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(65536).decode().startswith("HTTP/1.1 401")


def test_a_body_that_does_not_come_is_not_waited_for(gates):
    settings = ServingSettings(body_timeout_s=0.05)
    runtime = LocalRuntime(event_sink=InMemoryEventSink())
    app = build_app([flows.typed()], runtime=runtime, verifier=Tokens(), settings=settings)
    server = Live(app).start()
    try:
        with socket.create_connection(server.address) as connection:
            head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ada\r\n"
            head += "Content-Type: application/json\r\nContent-Length: 5\r\n\r\n{"
            connection.sendall(head.encode())
            assert connection.recv(65536).decode().startswith("HTTP/1.1 408")
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("headers", "content", "expected"),
    [
        ({"Content-Type": "text/plain"}, b"{}", (415, "SERVE-MEDIA-TYPE")),
        ({}, b"{}", (415, "SERVE-MEDIA-TYPE")),
        ({**JSON, "Content-Encoding": "gzip"}, b"{}", (415, "SERVE-MEDIA-TYPE")),
        (JSON, b"", (400, "SERVE-JSON")),
        (JSON, b'{"a": NaN}', (400, "SERVE-JSON")),
        (JSON, b'{"data": {"a": 1, "a": 2}}', (400, "SERVE-JSON")),
        (JSON, b"[" * 10_000, (400, "SERVE-JSON")),
        (JSON, b"[]", (422, "SERVE-INPUT")),
        (JSON, b'"hello"', (422, "SERVE-INPUT")),
        (JSON, b'{"input_text": 5}', (422, "SERVE-INPUT")),
        (JSON, b'{"priority": "first"}', (422, "SERVE-INPUT")),
        (JSON, b'{"input_text": "x"}', (422, "SERVE-INPUT")),
        (JSON, b'{"input_text": "x", "data": {"city": 5}}', (422, "SERVE-INPUT")),
        ({**JSON, "Stageflow-Timeout": "soon"}, b"{}", (400, "SERVE-HEADER")),
    ],
)
def test_a_body_that_cannot_be_used_is_refused(client, headers, content, expected):
    assert code_of(client.post(PATH, content=content, headers=headers)) == expected


def test_an_input_that_breaks_the_model_of_the_pipeline_says_where(client):
    answer = client.post(PATH, json={"input_text": "x", "data": {"city": "y" * 30}})
    assert code_of(answer) == (422, "SERVE-INPUT")
    assert [each["path"] for each in answer.json()["errors"]] == ["city"]
    assert "yyyy" not in answer.text


def test_what_is_nested_as_deep_as_may_be_runs(client):
    deep: object = 10**40
    for _ in range(60):
        deep = [deep]
    for body in ({"data": {"a": deep}}, {"metadata": {"a": deep}}):
        run = client.post("/v1/pipelines/plain/runs", json=body).json()
        assert run["state"] == "ok"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["input_text", "data", "metadata", "conversation", "session_id", "priority", "correlation_id"]
)
BODIES = st.binary(max_size=80) | (st.dictionaries(KEYS, ANYTHING, max_size=4) | ANYTHING).map(
    lambda value: json.dumps(value).encode()
)


@hypothesis_settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=BODIES, pipeline=st.sampled_from(["typed", "plain"]))
def test_whatever_is_sent_is_answered_and_never_with_a_defect(client, body, pipeline):
    answer = client.post(f"/v1/pipelines/{pipeline}/runs", content=body, headers=JSON)
    assert answer.status_code in (200, 400, 413, 422), answer.text
    assert "Traceback" not in answer.text


# --- how many -------------------------------------------------------------------------------------


def test_ended_runs_are_kept_as_far_as_there_is_room_and_then_say_that_they_went(small):
    with small.client() as client, small.client("eve") as stranger:
        paths = [
            client.post("/v1/pipelines/plain/runs", json={}).headers["location"] for _ in "123456"
        ]
        codes = [client.get(path) for path in paths]
        told = [each.json().get("code", each.json().get("state")) for each in codes]
        assert told == ["SERVE-RUN-UNKNOWN", *["SERVE-RUN-EXPIRED"] * 2, "ok", "ok", "ok"]
        assert [each.status_code for each in codes] == [404, 404, 404, 200, 200, 200]
        assert {stranger.get(path).json()["code"] for path in paths} == {"SERVE-RUN-UNKNOWN"}
        assert client.get(f"{paths[2]}/events").json()["code"] == "SERVE-RUN-EXPIRED"
    stats = small.desk("plain").stats()
    assert (stats.kept.runs, stats.kept.crowded_out, stats.expired_ids) == (3, 3, 2)


def test_an_ended_run_goes_when_its_time_is_up():
    settings = ServingSettings(kept_s=0.001, sweep_s=0.01)
    runtime = LocalRuntime(event_sink=InMemoryEventSink())
    app = build_app([flows.plain()], runtime=runtime, verifier=Tokens(), settings=settings)
    server = Live(app).start()
    try:
        with server.client() as client:
            path = client.post("/v1/pipelines/plain/runs", json={}).headers["location"]
            until(lambda: not server.desk("plain").stats().kept.runs, "the sweep")
            assert client.get(path).json()["code"] == "SERVE-RUN-EXPIRED"
            assert server.desk("plain").stats().kept.expired == 1
    finally:
        server.stop()


def test_a_run_that_finds_no_room_is_refused_and_leaves_nothing_behind(small):
    with small.client() as client:
        taken = [start(client, "gated", input_text="full") for _ in range(2)]
        for prefer in ({}, {"Prefer": "respond-async"}):
            refused = client.post(
                "/v1/pipelines/gated/runs", json={"input_text": "full"}, headers=prefer
            )
            assert code_of(refused) == (503, "RUN-REFUSED")
            assert int(refused.headers["retry-after"]) >= 1
        assert small.desk("gated").stats().live == 2
        for path in taken:
            client.delete(path)
            ended(client, path)


@pytest.fixture
def strict(gates):
    """Takes two runs of a tenant that go on, and starts two in a second."""
    settings = ServingSettings(max_live_runs_per_tenant=2, max_runs_per_s_per_tenant=2)
    runtime = LocalRuntime(event_sink=InMemoryEventSink())
    pipelines = [flows.plain(), flows.gated(gates)]
    app = build_app(pipelines, runtime=runtime, verifier=Tokens(), settings=settings)
    server = Live(app).start()
    yield server
    server.stop()


def test_a_tenant_has_so_many_live_runs_and_others_go_on(strict):
    with strict.client() as client, strict.client("eve") as other:
        taken = [start(client, "gated", input_text="full") for _ in range(2)]
        refused = client.post("/v1/pipelines/gated/runs", json={})
        assert code_of(refused) == (429, "SERVE-TOO-MANY-RUNS")
        assert int(refused.headers["retry-after"]) >= 1
        path = start(other, "gated", input_text="full")
        other.delete(path)
        for path in taken:
            client.delete(path)
            ended(client, path)


def test_a_tenant_starts_so_many_runs_in_a_second_and_others_go_on(strict):
    with strict.client() as client, strict.client("eve") as other:
        answers = [client.post("/v1/pipelines/plain/runs", json={}) for _ in range(40)]
        refused = [each for each in answers if each.status_code != 200]
        assert [code_of(each) for each in refused] == [(429, "SERVE-TOO-FAST")] * len(refused)
        assert refused
        assert all(int(each.headers["retry-after"]) >= 1 for each in refused)
        assert other.post("/v1/pipelines/plain/runs", json={}).json()["state"] == "ok"


def test_a_tenant_reads_so_many_streams(small):
    with small.client() as client:
        path = start(client, "gated", input_text="streams")
        with client.stream("GET", f"{path}/events") as first:
            lines = first.iter_lines()
            next(lines)
            assert code_of(client.get(f"{path}/events")) == (429, "SERVE-TOO-MANY-STREAMS")
        until(lambda: not small.service.streams, "the end of the stream")
        client.delete(path)
        ended(client, path)
        assert client.get(f"{path}/events").status_code == 200
