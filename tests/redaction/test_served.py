"""What clients are answered, and what a door logs: no canary, even where failures are revealed."""

from __future__ import annotations

import json
import logging

import pytest

from stageflow_actors import InMemoryEventSink, LocalRuntime, Pipeline
from stageflow_actors.serving import ServingSettings, build_app
from tests.redaction import leaky
from tests.redaction.leaky import CANARIES
from tests.redaction.test_canaries import found_in
from tests.serving.live import Live, Tokens, frames

HEADERS = {
    "Cookie": f"session={CANARIES['header_cookie']}",
    "X-Api-Key": CANARIES["header_key"],
}
BODY = {
    "input_text": f"Please tell nobody that it is {CANARIES['input']}, will you?",
    "data": {"password": CANARIES["data_name"], "note": f"I am {CANARIES['sentence']}"},
}


class Quotes:
    kind = "work"

    def __init__(self, **secrets) -> None:
        self.secrets = secrets

    async def execute(self, ctx):
        text = f"{ctx.snapshot.input_text} {ctx.data['password']} {ctx.data['note']} {self.secrets}"
        ctx.try_emit_event("it.is.told", {"text": text, "token": "x"})
        return self.end(text)

    def end(self, text):
        raise ValueError(text, f"pwd={CANARIES['args']}")


class Fails(Quotes):
    def end(self, text):
        from stageflow_actors import StageOutput

        return StageOutput.fail(text)


@pytest.fixture(params=[False, True], ids=["hidden", "revealed"])
def live(request, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    for name, value in leaky.ENVIRON.items():
        monkeypatch.setenv(name, value)
    sink = InMemoryEventSink()
    served = [
        Pipeline("raising").with_stage("s", Quotes, config=leaky.config()),
        Pipeline("failing").with_stage("s", Fails, config=leaky.config()),
    ]
    settings = ServingSettings(reveal_failures=request.param)
    runtime = LocalRuntime(event_sink=sink)
    app = build_app(served, runtime=runtime, verifier=Tokens(), settings=settings)
    server = Live(app).start()
    server.sink = sink
    yield server
    server.stop()


@pytest.mark.parametrize("pipeline", ["raising", "failing"])
def test_no_answer_and_no_record_has_a_canary(live, pipeline, caplog):
    told = []
    with live.client() as client:
        answer = client.post(f"/v1/pipelines/{pipeline}/runs", json=BODY, headers=HEADERS)
        assert answer.json()["state"] == "failed"
        path = answer.headers["location"]
        told += [answer.text, client.get(path, headers=HEADERS).text]
        events = frames(client, path)
        assert any(each["event"] == "it.is.told" for each in events)
        told.append(json.dumps(events))
    with live.client(token=CANARIES["header_auth"]) as stranger:
        refused = stranger.post(f"/v1/pipelines/{pipeline}/runs", json=BODY, headers=HEADERS)
        assert refused.status_code == 401
        told += [refused.text, repr(refused.headers)]
    told += [repr(live.sink.events), caplog.text, repr([each.__dict__ for each in caplog.records])]
    assert found_in(" ".join(told)) == set()
    assert "[content]" in told[2]


def test_a_body_that_is_refused_is_not_quoted(live, caplog):
    with live.client() as client:
        for body in ({"input_text": 1, **BODY, "more": CANARIES["input"]}, {"data": [BODY]}):
            refused = client.post("/v1/pipelines/raising/runs", json=body, headers=HEADERS)
            if refused.status_code >= 400:
                assert found_in(refused.text + caplog.text) == set()
