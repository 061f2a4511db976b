"""How an application comes up and goes down."""

from __future__ import annotations

import asyncio
import threading

import pytest

from stageflow_actors import DeploymentError, InMemoryEventSink, LocalRuntime, Pipeline
from stageflow_actors.serving import ServedPipeline, ServingError, ServingSettings, build_app
from stageflow_actors.serving.bodies import RunBody
from stageflow_actors.serving.callers import Caller
from stageflow_actors.serving.desk import RunOrder
from stageflow_actors.serving.server import make_server, run_server
from tests.serving import flows
from tests.serving.live import Frames, Live, Tokens, start, until

FILE = """
name: from_file
stages:
  echo: {runner: "tests.serving.flows:echo", kind: work}
"""


def built(pipelines, **settings):
    runtime = LocalRuntime(event_sink=InMemoryEventSink())
    return build_app(
        pipelines, runtime=runtime, verifier=Tokens(), settings=ServingSettings(**settings)
    )


class Unable:
    async def setup(self):
        raise RuntimeError("no model file")

    async def execute(self, ctx):
        return {}


async def test_it_is_alive_before_it_is_ready():
    import httpx

    app = built([flows.plain()])
    transport = httpx.ASGITransport(app=app)  # which knows no lifespan
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        assert (await client.get("/healthz/live")).status_code == 200
        answer = await client.get("/healthz/ready")
        assert (answer.status_code, answer.json()["code"]) == (503, "SERVE-NOT-READY")
        refused = await client.post(
            "/v1/pipelines/plain/runs", json={}, headers={"Authorization": "Bearer ada"}
        )
        assert (refused.status_code, refused.json()["code"]) == (503, "SERVE-NOT-READY")
        assert "retry-after" in refused.headers
        async with app.router.lifespan_context(app):
            assert (await client.get("/healthz/ready")).status_code == 200
        assert (await client.get("/healthz/ready")).status_code == 503


def test_live_runs_have_the_time_to_end_and_streams_hear_of_it():
    gates = flows.Gates()
    server = Live(built([flows.gated(gates)], drain_s=20)).start()
    with server.client() as client:
        path = start(client, "gated", input_text="drained")
        with client.stream("GET", f"{path}/events") as answer:
            told = iter(Frames(answer.iter_lines()))
            next(told)
            stopping = threading.Thread(target=server.stop)
            stopping.start()
            for number in range(1, 5):
                gates.of(f"drained.{number}").set()
            assert [each["event"] for each in told][-2:] == ["pipeline.completed", "run.ended"]
        stopping.join()


async def test_a_run_that_does_not_end_in_time_is_cancelled():
    app = built([flows.gated(flows.Gates())], drain_s=0.01)
    order = RunOrder(Caller("t"), RunBody(input_text="late"))
    async with app.router.lifespan_context(app):
        waiting = asyncio.create_task(app.state.service.run("gated", order, None))
        while not app.state.service.desk("gated").live():
            await asyncio.sleep(0)
    assert (await waiting).state == "cancelled"


def test_a_pipeline_that_cannot_be_deployed_keeps_the_server_from_starting(capfd):
    pipeline = Pipeline("broken").with_stage("unable", Unable, "work")
    app = built([flows.plain(), pipeline])
    with pytest.raises(DeploymentError) as failed:
        run_server(make_server(app, host="127.0.0.1", port=0), lambda _url: None)
    assert failed.value.code == "DEPLOYMENT-SETUP"
    assert "Traceback" not in capfd.readouterr().err


def test_an_address_that_is_taken_is_an_error_with_a_code(capfd):
    first = Live(built([flows.plain()])).start()
    try:
        app = built([flows.plain()])
        with pytest.raises(ServingError) as taken:
            run_server(make_server(app, host="127.0.0.1", port=first.address[1]), lambda _url: None)
        assert taken.value.code == "SERVE-ADDRESS"
    finally:
        first.stop()


def test_pipelines_are_named_by_objects_import_paths_and_files(tmp_path):
    file = tmp_path / "flows.yaml"
    file.write_text(FILE, encoding="utf-8")
    app = built([flows.typed().build(), "tests.serving.flows:plain", str(file)])
    assert [*app.state.service.pipelines] == ["typed", "plain", "from_file"]
    renamed = built({"a": flows.plain(), "b": ServedPipeline(f"{file}:from_file")})
    assert [*renamed.state.service.pipelines] == ["a", "b"]


@pytest.mark.parametrize(
    ("pipelines", "code"),
    [
        ([], "SERVE-NAME"),
        ([Pipeline("a/b").with_stage("echo", flows.echo, "work")], "SERVE-NAME"),
        ({"..": flows.plain()}, "SERVE-NAME"),
        ([flows.plain(), flows.plain()], "SERVE-NAME"),
        (["tests.serving.flows:nothing"], "SERVE-TARGET"),
        (["tests.serving.flows:SECRET"], "SERVE-TARGET"),
        (["tests.serving.nothing:plain"], "SERVE-TARGET"),
        (["plain"], "SERVE-TARGET"),
        ([5], "SERVE-DEFINITION"),
    ],
)
def test_what_cannot_be_served_is_refused_at_once(pipelines, code):
    with pytest.raises(ServingError) as refused:
        built(pipelines)
    assert refused.value.code == code


def test_what_becomes_of_runs_is_one_of_two():
    with pytest.raises(ServingError):
        ServedPipeline(flows.plain(), on_disconnect="pause")


def test_it_goes_down_without_leaving_a_task(live, client):
    """Streams and waits of requests that are over leave nothing on the loop."""
    import asyncio

    def tasks():
        asked = asyncio.run_coroutine_threadsafe(count(), live.loop)
        return asked.result(10)

    async def count():
        return len(asyncio.all_tasks())

    client.post("/v1/pipelines/plain/runs", json={})
    before = tasks()
    for _ in range(5):
        path = client.post("/v1/pipelines/plain/runs", json={}).headers["location"]
        client.get(f"{path}/events")
    until(lambda: tasks() <= before, "the end of all tasks")
