"""Chats with the client of OpenAI: answers in chunks."""

from __future__ import annotations

import json

import openai
import pytest

from stageflow_actors.serving import OpenAIModel, ServedPipeline, ServingSettings
from tests.serving import flows, openai_models
from tests.serving.live import until
from tests.serving.openai_models import WORDS, client_of, model, one

HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture(scope="module")
def served(gates):
    return [
        model(one("talk", openai_models.talk)),
        model(one("echo", openai_models.echo), chat="s.text", usage="s.tokens"),
        model(one("broken", openai_models.broken_off)),
        model(one("late", openai_models.decline_late)),
        model(flows.failing(), chat="echo.text"),
        model(flows.refusing(), chat="refuse.text"),
        model(openai_models.waiting(gates, "waiting")),
        model(one("burst", openai_models.burst)),
        ServedPipeline(
            openai_models.waiting(gates, "lasting"),
            on_disconnect="continue",
            openai=OpenAIModel(chat="s.text"),
        ),
    ]


@pytest.fixture(scope="module")
def settings():
    return ServingSettings(heartbeat_s=0.05, drain_s=0.2, max_streams_per_tenant=2)


@pytest.fixture
def asking(live):
    with client_of(live) as client:
        yield client


def stream(client, name, content="hello", **more):
    messages = [{"role": "user", "content": content}]
    return client.chat.completions.create(model=name, messages=messages, stream=True, **more)


def frames_of(client, body):
    """The data of every frame, as it stands on the wire."""
    with client.stream("POST", "/v1/chat/completions", json={**body, "stream": True}) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        text = answer.read().decode()
    assert text.endswith("\n\n")
    frames = [each for each in text.split("\n\n")[:-1] if not each.startswith(":")]
    assert all(each.startswith("data: ") and "\n" not in each for each in frames)
    return [each.removeprefix("data: ") for each in frames]


def test_pieces_for_the_user_become_chunks(asking):
    chunks = list(stream(asking, "talk"))
    texts = [each.choices[0].delta.content for each in chunks]
    assert [each for each in texts if each] == list(WORDS)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [each.choices[0].finish_reason for each in chunks] == [None] * 4 + ["stop"]
    assert len({each.id for each in chunks}) == 1
    assert {each.model for each in chunks} == {"talk"}


def test_the_frames_of_a_stream_are_those_of_openai(client):
    *chunks, done = frames_of(client, {"model": "talk", "messages": HELLO})
    assert done == "[DONE]"
    told = [json.loads(each) for each in chunks]
    assert {each["object"] for each in told} == {"chat.completion.chunk"}
    assert all("usage" not in each for each in told)
    assert told[1]["choices"] == [
        {"index": 0, "delta": {"content": "good "}, "finish_reason": None, "logprobs": None}
    ]
    assert told[-1]["choices"][0]["delta"] == {}


def test_a_pipeline_that_streams_nothing_has_its_text_in_one_chunk(asking):
    texts = [each.choices[0].delta.content for each in stream(asking, "echo")]
    assert texts == ["hello", None]


def test_usage_comes_last_where_it_is_asked_for(asking):
    *chunks, last = stream(asking, "echo", stream_options={"include_usage": True})
    assert [each.usage for each in chunks] == [None, None]
    assert (last.choices, last.usage.total_tokens) == ([], 10)
    *_chunks, unknown = stream(asking, "talk", stream_options={"include_usage": True})
    assert unknown.usage.total_tokens == 0


def test_a_piece_arrives_while_its_stage_goes_on(asking, gates):
    chunks = stream(asking, "waiting", "during")
    texts = (each.choices[0].delta.content for each in chunks)
    assert next(text for text in texts if text) == "before "
    gates.of("during").set()
    assert [text for text in texts if text] == ["after"]


async def test_the_asynchronous_client_reads_the_same(live):
    url = f"{live.url}/v1"
    async with openai.AsyncOpenAI(base_url=url, api_key="ada", max_retries=0) as client:
        chunks = await client.chat.completions.create(model="talk", messages=HELLO, stream=True)
        texts = [each.choices[0].delta.content async for each in chunks]
    assert "".join(text for text in texts if text) == "".join(WORDS)


def test_what_was_streamed_before_anybody_could_read_is_not_missing(asking):
    texts = [each.choices[0].delta.content for each in stream(asking, "burst")]
    assert "".join(text for text in texts if text) == openai_models.BURST


def test_a_stream_without_news_has_comments_that_clients_skip(client, gates):
    body = {"model": "waiting", "messages": [{"role": "user", "content": "beat"}], "stream": True}
    with client.stream("POST", "/v1/chat/completions", json=body) as answer:
        lines = answer.iter_lines()
        assert next(line for line in lines if line.startswith(":"))
        gates.of("beat").set()
        assert [line for line in lines if line.startswith("data: ")][-1] == "data: [DONE]"


def test_who_comes_back_with_the_key_of_a_stream_reads_the_same_run_from_its_start(asking):
    def read():
        chunks = list(stream(asking, "talk", extra_headers={"Idempotency-Key": "again"}))
        return {each.id for each in chunks}, [each.choices[0].delta.content for each in chunks]

    assert read() == read()


# --- what goes wrong ------------------------------------------------------------------------------


def test_a_run_that_fails_before_its_first_piece_has_a_status(asking):
    with pytest.raises(openai.InternalServerError) as bad:
        stream(asking, "failing")
    assert bad.value.code == "STAGE-RAISED"


def test_a_run_that_fails_later_ends_with_an_error(asking):
    chunks = stream(asking, "broken")
    texts = []
    with pytest.raises(openai.APIError, match="failed") as bad:
        texts.extend(each.choices[0].delta.content for each in chunks)
    assert texts == ["", "half of "]
    assert bad.value.code == "STAGE-RAISED"
    assert "private" not in str(bad.value.body)


def test_a_run_that_takes_too_long_ends_with_an_error(asking):
    chunks = stream(asking, "waiting", "late", extra_headers={"Stageflow-Timeout": "0.2"})
    with pytest.raises(openai.APIError) as late:
        list(chunks)
    assert late.value.code == "RUN-TIMEOUT"


def test_after_an_error_nothing_says_that_it_is_done(client):
    *_chunks, last = frames_of(client, {"model": "broken", "messages": HELLO})
    assert set(json.loads(last)["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize(("name", "said"), [("refusing", []), ("late", ["well, "])])
def test_a_stage_that_cancels_declines_in_the_stream(asking, name, said):
    chunks = [each.choices[0] for each in stream(asking, name)]
    assert [each.delta.content for each in chunks if each.delta.content] == said
    assert [each.delta.refusal for each in chunks if each.delta.refusal] == ["not today"]
    assert chunks[-1].finish_reason == "content_filter"


def test_a_request_that_is_refused_is_no_stream(asking):
    with pytest.raises(openai.NotFoundError):
        stream(asking, "nobody")
    with pytest.raises(openai.UnprocessableEntityError):
        stream(asking, "talk", n=2)


def test_too_many_streams_are_a_rate_limit_and_start_no_run(live, asking, gates):
    open_ones = [stream(asking, "waiting", "many") for _ in range(2)]
    runs = len(live.desk("waiting").live())
    with pytest.raises(openai.RateLimitError) as refused:
        stream(asking, "waiting", "many")
    assert refused.value.code == "SERVE-TOO-MANY-STREAMS"
    assert len(live.desk("waiting").live()) == runs
    gates.of("many").set()
    for each in open_ones:
        list(each)


# --- clients that go, and clients that are slow ---------------------------------------------------


def test_a_stream_that_is_closed_cancels_its_run(live, asking):
    chunks = stream(asking, "waiting", "left")
    next(iter(chunks))
    desk = live.desk("waiting")
    assert len(desk.live()) == 1
    chunks.close()
    until(lambda: not desk.live(), "the end of the run")
    until(lambda: live.service.streams == 0, "the end of the stream")


def test_a_stream_that_is_closed_leaves_a_run_alone_that_should_go_on(live, asking, client, gates):
    chunks = stream(asking, "lasting", "lasting")
    run_id = next(iter(chunks)).id.removeprefix("chatcmpl-")
    chunks.close()
    until(lambda: live.service.streams == 0, "the end of the stream")
    gates.of("lasting").set()
    until(lambda: client.get(f"/v1/runs/{run_id}").json()["state"] == "ok", "the end of the run")
