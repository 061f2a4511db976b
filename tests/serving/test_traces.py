"""The span of each request, and the runs below it."""

from __future__ import annotations

import json
import re

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import Sampler
from opentelemetry.trace import ProxyTracerProvider, StatusCode

from stageflow_actors import InMemoryEventSink, LocalRuntime, Pipeline
from stageflow_actors.serving import OpenAIModel, ServedPipeline, ServingSettings, build_app
from stageflow_actors.serving.request_trace import sender_of
from stageflow_actors.serving.schemas import Problem, Run
from tests.serving import flows
from tests.serving.live import Frames, Live, Tokens, ended, start, until
from tests.serving.sockets import open_socket
from tests.serving.traced import CLIENT_SPAN, RUNS, Outer
from tests.telemetry.spans_seen import SeenSpans, check_trees

SAID = "a question that nobody else may read"


@pytest.fixture(scope="module")
def seen():
    with pytest.MonkeyPatch.context() as patch:
        yield SeenSpans(patch)


async def talk(ctx):
    await ctx.stream.send("good ")
    await ctx.stream.send("morning")
    return {"text": "good morning"}


@pytest.fixture(scope="module")
def live(seen, gates):
    talking = Pipeline("talking").with_stage("talk", talk, "work")
    served = [
        flows.plain(),
        flows.gated(gates),
        ServedPipeline(talking, openai=OpenAIModel(chat="talk.text")),
    ]
    runtime = LocalRuntime(event_sink=InMemoryEventSink())
    app = build_app(served, runtime=runtime, verifier=Tokens(), settings=ServingSettings(drain_s=1))
    server = Live(app).start()
    yield server
    server.stop()


@pytest.fixture
def outer(seen):
    return Outer(seen)


def test_a_run_is_below_its_request_and_that_below_the_span_of_the_client(client, outer):
    answer = client.post(
        "/v1/pipelines/plain/runs?key=hidden", json={"input_text": SAID}, headers=outer.headers
    )
    run = Run.model_validate(answer.json())
    assert run.trace_id == outer.trace_id
    span = outer.request()
    assert span.name == f"POST {RUNS}"
    assert span.attributes == {
        "http.request.method": "POST",
        "url.scheme": "http",
        "http.route": RUNS,
        "http.response.status_code": 200,
        "stageflow.run.id": str(run.run_id),
    }
    assert span.status.status_code is StatusCode.UNSET
    assert span.parent.span_id == CLIENT_SPAN
    assert outer.run().parent.span_id == span.context.span_id
    assert len(outer.spans) == 3, "the request, the run, its stage, and none of others' making"
    check_trees(outer.spans, roots={CLIENT_SPAN})
    told = "".join(each.to_json() for each in outer.spans)
    for secret in ("hidden", SAID, "ada", "Bearer"):
        assert not re.search(rf"\b{secret}\b", told)  # the name may stand in the midst of an id


def test_without_a_span_of_the_client_a_trace_begins(client, seen):
    ids = [client.post(RUNS.format(name="plain"), json={}).json()["trace_id"] for _ in range(2)]
    assert len(set(ids)) == 2
    for each in ids:
        begun = Outer(seen)
        begun.trace_id = each
        assert begun.request().parent is None
        assert begun.run().parent.span_id == begun.request().context.span_id


def test_what_is_passed_on_reaches_the_run_in_any_number_of_headers(outer):
    given = [(name.encode(), value.encode()) for name, value in outer.headers.items()]
    given += [(b"tracestate", b"a=1"), (b"tracestate", b"b@c=2"), (b"baggage", b"user=ann")]
    told = sender_of({"headers": given})
    assert told.to_headers() == {**outer.headers, "tracestate": "a=1,b@c=2", "baggage": "user=ann"}


def test_every_request_about_a_run_says_which(client, gates, seen):
    path = start(client, "gated", input_text="traced")
    run_id = path.rpartition("/")[2]
    asked, stopped, read = Outer(seen), Outer(seen), Outer(seen)
    assert client.get(path, headers=asked.headers).json()["trace_id"]
    client.delete(path, headers=stopped.headers)
    for number in range(1, 5):
        gates.of(f"traced.{number}").set()
    ended(client, path)
    client.get(f"{path}/events", headers=read.headers)
    names = [each.request().name for each in (asked, stopped, read)]
    assert names == [f"{each} /v1/runs/{{run_id}}" for each in ("GET", "DELETE")] + [
        "GET /v1/runs/{run_id}/events"
    ]
    for each in (asked, stopped, read):
        assert each.request().attributes["stageflow.run.id"] == run_id
        assert len(each.spans) == 1, "the run is in the trace of the request that started it"


def test_a_request_that_is_not_waited_for_has_its_run_below_it(client, outer):
    headers = {**outer.headers, "Prefer": "respond-async"}
    answer = client.post(RUNS.format(name="plain"), json={}, headers=headers)
    run = outer.run()
    assert run.parent.span_id == outer.request().context.span_id
    assert outer.request().attributes["stageflow.run.id"] == answer.json()["run_id"]


def test_the_span_of_a_stream_lasts_as_long_as_the_stream(client, gates, outer):
    headers = {**outer.headers, "Accept": "text/event-stream"}
    body = {"input_text": "streamed"}
    with client.stream("POST", RUNS.format(name="gated"), json=body, headers=headers) as answer:
        told = iter(Frames(answer.iter_lines()))
        next(told)
        assert outer.requests() == []
        for number in range(1, 5):
            gates.of(f"streamed.{number}").set()
        *_others, last = told
    span = outer.request()
    assert span.attributes["stageflow.run.id"] == json.loads(last["data"])["run_id"]
    assert outer.run().parent.span_id == span.context.span_id
    assert outer.run().end_time <= span.end_time


def test_the_runs_on_a_socket_are_below_its_span(live, outer):
    with open_socket(live, headers=[*outer.headers.items()]) as socket:
        said = [socket.run("plain", ref=ref) for ref in ("a", "b")]
        socket.say("start", ref="c", pipeline="nothing", credit=1)
        problem = socket.hear_until("error", "c")[-1]["problem"]
        assert outer.requests() == []
    span = outer.request()
    assert (span.name, span.parent.span_id) == ("GET /v1/ws", CLIENT_SPAN)
    assert span.attributes == {
        "http.request.method": "GET",
        "url.scheme": "ws",
        "http.route": "/v1/ws",
        "http.response.status_code": 101,
    }
    runs = [heard[-1]["run"] for heard in said]
    noted = [(each.name, each.attributes["stageflow.run.id"]) for each in span.events]
    assert noted == [("stageflow.run", each["run_id"]) for each in runs]
    assert {each["trace_id"] for each in (*runs, problem)} == {outer.trace_id}
    until(lambda: len(outer.spans) == 5, "the spans of both runs")
    check_trees(outer.spans, roots={CLIENT_SPAN})


def test_a_socket_that_is_refused_says_so(live, outer):
    with pytest.raises(Exception, match="HTTP 401"):
        open_socket(live, token=None, headers=[*outer.headers.items()])
    assert outer.request().attributes["http.response.status_code"] == 401


@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_chat_is_above_its_run(client, outer, is_streamed):
    asked = {"model": "talking", "messages": [{"role": "user", "content": SAID}]}
    answer = client.post(
        "/v1/chat/completions", json={**asked, "stream": is_streamed}, headers=outer.headers
    )
    assert "morning" in answer.text
    span = outer.request()
    assert span.name == "POST /v1/chat/completions"
    assert span.attributes["stageflow.run.id"] == answer.headers["x-request-id"]
    assert outer.run().parent.span_id == span.context.span_id


def test_a_request_with_the_key_of_a_run_says_which_and_has_none_below_it(client, seen):
    first, again, other = Outer(seen), Outer(seen), Outer(seen)
    key = {"Idempotency-Key": "traced"}
    for each, text in ((first, "a"), (again, "a"), (other, "b")):
        client.post(
            RUNS.format(name="plain"), json={"input_text": text}, headers={**each.headers, **key}
        )
    run = first.run()
    assert [len(each.spans) for each in (again, other)] == [1, 1]
    for each in (first, again, other):
        span = each.request()
        assert span.attributes["stageflow.run.id"] == run.attributes["stageflow.run.id"]
    assert other.request().attributes["http.response.status_code"] == 409


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "token", "name", "status", "error"),
    [
        ("GET", "/v1/nothing/secret-path", "ada", "GET", 404, None),
        ("PUT", "/v1/pipelines", "ada", "PUT /v1/pipelines", 405, None),
        ("PROPFIND", "/v1/pipelines", "ada", "HTTP /v1/pipelines", 405, None),
        ("GET", "/v1/pipelines", "unknown", "GET /v1/pipelines", 401, None),
        ("GET", "/v1/pipelines", "broken", "GET /v1/pipelines", 503, "503"),
    ],
)
def test_a_refusal_names_its_trace(client, outer, method, path, token, name, status, error):
    headers = {**outer.headers, "Authorization": f"Bearer {token}"}
    answer = client.request(method, path, headers=headers)
    assert answer.status_code == status
    assert Problem.model_validate(answer.json()).trace_id == outer.trace_id
    span = outer.request()
    assert span.name == name
    assert span.attributes["http.response.status_code"] == status
    assert span.attributes.get("error.type") == error
    assert (span.status.status_code is StatusCode.ERROR) is (error is not None)
    assert "secret-path" not in span.to_json()


async def test_a_defect_is_told_by_its_class_and_its_trace(seen, outer, monkeypatch):
    app = build_app(flows.plain(), runtime=LocalRuntime(), verifier=Tokens())

    async def look(*_arguments):
        raise LookupError(SAID)

    monkeypatch.setattr(app.state.service, "look", look)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    headers = {**outer.headers, "Authorization": "Bearer ada"}
    async with httpx.AsyncClient(transport=transport, base_url="http://door") as asking:
        answer = await asking.get("/v1/runs/x", headers=headers)
    assert (answer.status_code, answer.json()["trace_id"]) == (500, outer.trace_id)
    span = outer.request()
    assert span.attributes["error.type"] == "LookupError"
    assert span.attributes["http.response.status_code"] == 500
    assert SAID not in span.to_json()


# --- processes that export nothing, and what is opened inside -------------------------------------


async def passed_on(ctx):
    return {"told": None if ctx.trace is None else ctx.trace.to_headers()}


async def asked(verifier, headers):
    """What a run says of its trace, behind an application of its own."""
    pipeline = Pipeline("passing").with_stage("pass", passed_on, "work")
    app = build_app(pipeline, runtime=LocalRuntime(), verifier=verifier)
    transport = httpx.ASGITransport(app=app)
    given = {**headers, "Authorization": "Bearer ada"}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://door", headers=given) as asking,
    ):
        answer = await asking.post(RUNS.format(name="passing"), json={})
        wrong = await asking.get("/v1/runs/x")
    return answer.json(), wrong.json()


async def test_a_process_that_exports_nothing_passes_the_trace_on(monkeypatch, outer):
    provider = ProxyTracerProvider()
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    headers = {**outer.headers, "tracestate": "a=1", "baggage": "user=ann"}
    run, wrong = await asked(Tokens(), headers)
    assert run["result"]["outputs"]["pass"]["data"]["told"] == headers
    assert "trace_id" not in run
    assert "trace_id" not in wrong
    assert (await asked(Tokens(), {}))[0]["result"]["outputs"]["pass"]["data"]["told"] is None


class Spanning(Tokens):
    def __init__(self, provider):
        self.tracer = provider.get_tracer("theirs")

    async def verify(self, token):
        with self.tracer.start_as_current_span("verify"):
            return await super().verify(token)


async def test_what_a_verifier_opens_is_below_the_request(seen, outer):
    await asked(Spanning(seen.provider), outer.headers)
    until(lambda: len(outer.spans) == 6, "two requests, two checks, a run and its stage")
    above = {each.context.span_id for each in outer.requests()}
    checks = [each for each in outer.spans if each.name == "verify"]
    assert {each.parent.span_id for each in checks} == above


class Broken(Sampler):
    def should_sample(self, *_arguments, **_more):
        raise LookupError("the sampler is broken")

    def get_description(self):
        return "Broken"


async def test_a_sampler_that_raises_breaks_no_request(monkeypatch, caplog):
    provider = TracerProvider(sampler=Broken(), shutdown_on_exit=False)
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    run, wrong = await asked(Tokens(), {})
    assert "pass" in run["result"]["outputs"]
    assert wrong["status"] == 404
    assert caplog.text.count("A request has no span") == 1
