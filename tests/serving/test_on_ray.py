"""The same door in front of Ray: each stage in a process of its own."""

from __future__ import annotations

import json

import pytest

from stageflow_actors import InMemoryEventSink, Pipeline, RayRuntime, Settings
from stageflow_actors.serving import ServingSettings, build_app
from tests.serving.live import Frames, Live, Tokens, ended, frames, start
from tests.serving.ray_flows import Dies, Fails, Forever, Upper

pytestmark = pytest.mark.ray


def pipeline(name, *stages):
    """The stages in a row."""
    made, before = Pipeline(name), ()
    for stage in stages:
        made = made.with_stage(stage.__name__.lower(), stage, "work", before)
        before = stage.__name__.lower()
    return made


@pytest.fixture(scope="module")
def live(ray_session):
    bounds = Settings(max_hosts_per_deployment=1, max_running_runs=1, max_waiting_runs=1)
    runtime = RayRuntime(event_sink=InMemoryEventSink(), settings=bounds)
    served = [
        pipeline("upper", Upper),
        pipeline("failing", Upper, Fails),
        pipeline("endless", Upper, Forever),
        pipeline("dying", Dies),
    ]
    settings = ServingSettings(drain_s=0.1)
    app = build_app(served, runtime=runtime, verifier=Tokens(), settings=settings)
    server = Live(app).start()
    yield server
    server.stop()


def test_a_run_on_ray_is_answered_with_its_result_and_events(client):
    answer = client.post("/v1/pipelines/upper/runs", json={"input_text": "hi"})
    run = answer.json()
    assert run["state"] == "ok"
    assert run["result"]["outputs"]["upper"]["data"]["text"] == "HI"
    told = frames(client, answer.headers["location"])
    assert [int(each["id"]) for each in told] == list(range(1, len(told) + 1))
    assert told[-1]["event"] == "run.ended"
    for position in range(len(told)):
        assert frames(client, answer.headers["location"], after=position) == told[position:]


def test_a_failure_on_ray_shows_nothing_of_the_inside(client):
    answer = client.post("/v1/pipelines/failing/runs", json={"input_text": "hi"})
    assert answer.json()["result"]["failures"]["fails"]["code"] == "STAGE-RAISED"
    assert answer.json()["result"]["outputs"]["upper"]["data"]["text"] == "HI"
    assert "private" not in answer.text


def test_a_run_on_ray_is_watched_and_cancelled(client):
    path = start(client, "endless", input_text="x")
    with client.stream("GET", f"{path}/events") as answer:
        told = iter(Frames(answer.iter_lines()))
        assert any(each["event"] == "stage.forever.started" for each in told)
        assert client.delete(path).status_code == 202
        last = [*told][-1]
    assert json.loads(last["data"])["state"] == "cancelled"
    assert ended(client, path)["result"]["outputs"]["upper"]["data"]["text"] == "X"


def test_a_run_that_the_supervisor_refuses_is_refused_and_not_kept(client, live):
    paths = [start(client, "endless", input_text="x") for _ in range(2)]
    kept = live.desk("endless").stats().kept.runs
    refused = client.post("/v1/pipelines/endless/runs", json={"input_text": "x"})
    assert (refused.status_code, refused.json()["code"]) == (503, "RUN-REFUSED")
    assert int(refused.headers["retry-after"]) >= 1
    assert live.desk("endless").stats().kept.runs == kept
    for path in paths:
        client.delete(path)
        assert ended(client, path)["state"] == "cancelled"


def test_a_process_that_dies_is_a_result(client):
    run = client.post("/v1/pipelines/dying/runs", json={}).json()
    assert run["state"] == "failed"
    assert run["result"]["failures"]["dies"]["code"].startswith("STAGE-")
    assert client.post("/v1/pipelines/upper/runs", json={"input_text": "a"}).status_code == 200
