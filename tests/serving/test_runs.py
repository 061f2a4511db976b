"""Starting, asking for and cancelling runs over HTTP."""

from __future__ import annotations

import json

import pytest

from stageflow_actors.serving.schemas import Problem, Run
from tests.serving.flows import SECRET
from tests.serving.live import ACME, ADA, ended, start, until


def test_a_waiting_request_has_the_result_and_where_the_run_is(client):
    answer = client.post(
        "/v1/pipelines/typed/runs", json={"input_text": "fish", "data": {"city": "Rome"}}
    )
    assert answer.status_code == 200
    run = answer.json()
    Run.model_validate(run)
    assert run["state"] == "ok"
    assert run["result"]["outputs"]["reply"]["data"] == {"text": "fish in Rome"}
    assert run["result"]["attempts"] == {"reply": 1}
    assert client.get(answer.headers["location"]).json() == run


def test_respond_async_answers_before_the_run_has_ended(client, gates):
    asked = client.post(
        "/v1/pipelines/gated/runs",
        json={"input_text": "async"},
        headers={"Prefer": "respond-async"},
    )
    assert asked.status_code == 202
    assert asked.headers["preference-applied"] == "respond-async"
    location = asked.headers["location"]
    run = client.get(location).json()
    Run.model_validate(run)
    assert (run["state"], run["result"]) == ("running", None)
    for number in range(1, 5):
        gates.of(f"async.{number}").set()
    assert ended(client, location)["state"] == "ok"


def test_respond_async_with_a_wait_has_the_result_of_a_short_run(client):
    prefer = {"Prefer": "respond-async, wait=20"}
    answer = client.post("/v1/pipelines/plain/runs", json={}, headers=prefer)
    assert answer.status_code == 200
    assert answer.json()["state"] == "ok"


def test_the_run_belongs_to_whom_the_token_says(client):
    run = client.post("/v1/pipelines/plain/runs", json={"data": {"a": 1}}).json()
    data = run["result"]["outputs"]["echo"]["data"]
    assert data == {"text": None, "data": {"a": 1}, "user": str(ADA), "org": str(ACME)}


@pytest.mark.parametrize("key", ["_auth_token", "auth_token", "_resource_org_id", "_x"])
def test_a_client_cannot_say_what_only_the_token_says(client, key):
    answer = client.post("/v1/pipelines/plain/runs", json={"data": {key: "eve"}})
    assert (answer.status_code, answer.json()["code"]) == (422, "SERVE-INPUT")
    for part in ("user_id", "org_id", "pipeline_run_id", "topology"):
        answer = client.post("/v1/pipelines/plain/runs", json={part: str(ADA)})
        assert answer.status_code == 422


def test_a_failed_run_is_a_result_with_codes_and_nothing_of_the_inside(client, live):
    answer = client.post("/v1/pipelines/failing/runs", json={"input_text": "x"})
    assert answer.status_code == 200
    run = answer.json()
    Run.model_validate(run)
    assert run["state"] == "failed"
    assert run["result"]["stage"] == "fail"
    assert run["result"]["failures"]["fail"]["code"] == "STAGE-RAISED"
    assert run["result"]["outputs"]["echo"]["data"]["text"] == "x"
    events = client.get(f"{answer.headers['location']}/events").text
    for text in (answer.text, events):
        for secret in (SECRET, "private", "FileNotFound", "Traceback", "flows.py", "my_pkg"):
            assert secret not in text
    assert "stage.fail.failed" in events


def test_a_run_that_a_stage_cancels_says_why(client):
    run = client.post("/v1/pipelines/refusing/runs", json={}).json()
    assert (run["state"], run["result"]["stage"]) == ("cancelled", "refuse")
    assert run["result"]["reason"] == "not today"


def test_a_deadline_ends_the_run(client):
    answer = client.post(
        "/v1/pipelines/gated/runs",
        json={"input_text": "never"},
        headers={"Stageflow-Timeout": "0.05"},
    )
    assert answer.json()["state"] == "timed_out"


def test_a_live_run_can_be_cancelled_and_an_ended_one_not(client):
    location = start(client, "gated", input_text="cancelled")
    asked = client.delete(location)
    assert asked.status_code == 202
    run = ended(client, location)
    assert (run["state"], run["result"]["reason"]) == ("cancelled", "the client asked")
    again = client.delete(location)
    assert (again.status_code, again.json()["code"]) == (409, "SERVE-RUN-ENDED")
    assert again.json()["run_id"] == run["run_id"]
    assert again.json()["instance"] == location


@pytest.mark.parametrize(("pipeline", "state"), [("gated", "cancelled"), ("lasting", "running")])
def test_what_becomes_of_a_run_whose_client_goes_is_up_to_the_pipeline(
    live, client, gates, pipeline, state
):
    before = set(live.desk(pipeline).live())

    def mine():
        fresh = set(live.desk(pipeline).live()) - before
        return fresh.pop() if fresh else None

    text = f"gone-{pipeline}"
    body = json.dumps({"input_text": text}).encode()
    with live.client() as leaving:
        request = leaving.build_request(
            "POST",
            f"/v1/pipelines/{pipeline}/runs",
            content=body,
            headers={"Content-Type": "application/json"},
        )
        path = f"/v1/runs/{leave_once(live, request, mine)}"
    if state == "cancelled":
        assert ended(client, path)["state"] == "cancelled"
    else:
        for number in range(1, 5):
            gates.of(f"{text}.{number}").set()
        assert ended(client, path)["state"] == "ok"


def leave_once(live, request, happened):
    """Sends a request on a bare socket, and hangs up when that has happened."""
    import socket

    with socket.create_connection(live.address) as connection:
        head = f"{request.method} {request.url.raw_path.decode()} HTTP/1.1\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        connection.sendall(f"{head}\r\n".encode() + request.content)
        return until(happened, "the start of the run")


def test_what_does_not_exist_is_a_problem_of_its_own(client):
    known = {
        "/nothing": "SERVE-NOT-FOUND",
        "/v1/pipelines/nothing": "SERVE-PIPELINE-UNKNOWN",
        "/v1/pipelines/nothing/graph": "SERVE-PIPELINE-UNKNOWN",
        "/v1/runs/nothing": "SERVE-RUN-UNKNOWN",
        "/v1/runs/01a20098-9079-700b-b9d7-135585fae512/events": "SERVE-RUN-UNKNOWN",
    }
    for path, code in known.items():
        answer = client.get(path)
        assert answer.headers["content-type"] == "application/problem+json"
        problem = Problem.model_validate(answer.json())
        assert (problem.status, problem.code) == (404, code)
    unknown = client.post("/v1/pipelines/os.path:join/runs", json={})
    assert unknown.json()["code"] == "SERVE-PIPELINE-UNKNOWN"
    wrong = client.put("/v1/pipelines")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "SERVE-METHOD")
