"""Which models there are, and which cannot be."""

from __future__ import annotations

import dataclasses

import openai
import pytest

from stageflow_actors import InMemoryEventSink, LocalRuntime, Pipeline
from stageflow_actors.serving import (
    OpenAIModel,
    ServedPipeline,
    ServingError,
    SpeechFormat,
    build_app,
)
from stageflow_actors.serving.openai.transcripts import TranscriptFormat
from stageflow_actors.serving.scopes import RULES
from tests.docs import documents
from tests.serving import flows, openai_models
from tests.serving.live import Tokens
from tests.serving.openai_models import client_of, model, one

HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture(scope="module")
def served():
    named = {"hotel": OpenAIModel(chat="s.text"), "org/voice:1": OpenAIModel(speech="s.audio")}
    dotted = Pipeline("dotted").with_stage("a", openai_models.nothing, "work")
    dotted = dotted.with_stage("a.b", openai_models.echo, "work")
    return [
        model(one("own", openai_models.echo)),
        ServedPipeline(one("several", openai_models.echo), openai=named),
        model(dotted, chat="a.b.text"),
        flows.plain(),
    ]


def test_the_models_are_those_that_pipelines_declare(live):
    with client_of(live) as client:
        found = {each.id: each.owned_by for each in client.models.list()}
        assert found == {
            "own": "own",
            "hotel": "several",
            "org/voice:1": "several",
            "dotted": "dotted",
        }
        for name in found:
            assert client.models.retrieve(name).id == name
        for unknown in ("plain", "two\nlines", "at the end\n"):
            with pytest.raises(openai.NotFoundError) as refused:
                client.models.retrieve(unknown)
            assert refused.value.code == "SERVE-PIPELINE-UNKNOWN"


def test_a_model_may_have_another_name_than_its_pipeline(live):
    with client_of(live) as client:
        answer = client.chat.completions.create(model="hotel", messages=HELLO)
        assert (answer.model, answer.choices[0].message.content) == ("hotel", "hello")
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(model="several", messages=HELLO)


def test_a_path_begins_with_the_longest_name_of_a_stage(live):
    with client_of(live) as client:
        answer = client.chat.completions.create(model="dotted", messages=HELLO)
        assert answer.choices[0].message.content == "hello"


def test_models_are_for_who_may_read_pipelines(live):
    with client_of(live, "reader") as client, pytest.raises(openai.PermissionDeniedError):
        client.models.list()
    with live.client(token=None) as client:
        answer = client.get("/v1/models")
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "SERVE-TOKEN-MISSING")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_refusals_of_other_routes_keep_their_form(client):
    answer = client.get("/v1/pipelines/nobody")
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "declared",
    [
        {},
        {"chat": "text"},
        {"chat": "s."},
        {"chat": ".text"},
        {"chat": "s. text"},
        {"chat": 5},
        {"usage": "s.usage", "speech": "s.audio"},
        {"speech": "s.audio", "speech_format": "ogg"},
        {"speech": "s.audio", "sample_rate": 0},
        {"speech": "s.audio", "sample_rate": True},
    ],
)
def test_a_declaration_that_means_nothing_is_refused_at_once(declared):
    with pytest.raises(ServingError) as refused:
        OpenAIModel(**declared)
    assert refused.value.code == "SERVE-OPENAI"
    assert refused.value.hint


def built(*pipelines):
    runtime = LocalRuntime(event_sink=InMemoryEventSink())
    return build_app([*pipelines], runtime=runtime, verifier=Tokens())


@pytest.mark.parametrize(
    "openai_",
    [
        OpenAIModel(chat="t.text"),
        OpenAIModel(chat="s.text", usage="nobody.usage"),
        {"": OpenAIModel(chat="s.text")},
        {"a b": OpenAIModel(chat="s.text")},
        {5: OpenAIModel(chat="s.text")},
        {"m": "s.text"},
        "s.text",
    ],
)
def test_a_model_that_cannot_be_served_keeps_the_application_from_being_made(openai_):
    with pytest.raises(ServingError) as refused:
        built(ServedPipeline(one("echo", openai_models.echo), openai=openai_))
    assert refused.value.code == "SERVE-OPENAI"
    assert refused.value.hint


def test_two_models_of_one_name_are_refused():
    other = ServedPipeline(
        one("other", openai_models.echo), openai={"echo": OpenAIModel(chat="s.text")}
    )
    with pytest.raises(ServingError, match="Two models are named 'echo'"):
        built(model(one("echo", openai_models.echo)), other)


def test_a_near_name_of_a_stage_is_proposed():
    pipeline = Pipeline("p").with_stage("answer", openai_models.echo, "work")
    with pytest.raises(ServingError) as refused:
        built(model(pipeline, chat="anser.text"))
    assert "'answer'" in refused.value.hint


def test_the_guide_names_every_part_of_a_declaration_and_every_format():
    guide = documents.ROOT / "docs" / "guides" / "openai.md"
    named = set(documents.code_spans(documents.prose(guide)))
    assert {field.name for field in dataclasses.fields(OpenAIModel)} <= named
    assert {*map(str, SpeechFormat), *map(str, TranscriptFormat)} <= named


def test_the_guide_names_every_route():
    guide = documents.ROOT / "docs" / "guides" / "openai.md"
    text = guide.read_text(encoding="utf-8")
    for rule in RULES:
        if rule.method == "POST" and rule.path.startswith(("/v1/chat", "/v1/audio")):
            assert f"`{rule.method} {rule.path}`" in text
