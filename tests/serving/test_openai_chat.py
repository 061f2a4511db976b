"""Chats with the client of OpenAI: whole answers."""

from __future__ import annotations

import json
import socket

import openai
import pytest

from stageflow_actors import InMemoryEventSink, LocalRuntime, Settings
from stageflow_actors.serving import ServingSettings, build_app
from tests.serving import flows, openai_models
from tests.serving.live import Live, Tokens, start, until
from tests.serving.openai_models import client_of, model, one

HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture(scope="module")
def served(gates):
    return [
        model(one("echo", openai_models.echo), chat="s.text", usage="s.tokens"),
        model(one("record", openai_models.answer), chat="s.llm", usage="s.llm"),
        model(flows.failing(), chat="echo.text"),
        model(flows.refusing(), chat="refuse.text"),
        model(one("empty", openai_models.nothing)),
        model(openai_models.waiting(gates, "waiting")),
        model(one("deaf", openai_models.hear), transcription="s.speech"),
        one("plain", openai_models.echo),
    ]


@pytest.fixture(scope="module")
def settings():
    return ServingSettings(max_body_bytes=20_000, max_live_runs_per_tenant=2, drain_s=0.2)


@pytest.fixture
def asking(live):
    with client_of(live) as client:
        yield client


def ask(client, name, messages=HELLO, **more):
    return client.chat.completions.create(model=name, messages=messages, **more)


def outputs_of(live, answer):
    """The outputs of the run behind an answer."""
    run_id = answer.id.removeprefix("chatcmpl-")
    with live.client() as client:
        return client.get(f"/v1/runs/{run_id}").json()["result"]["outputs"]


def test_an_answer_has_the_text_and_what_it_has_cost(asking):
    answer = ask(asking, "echo")
    assert (answer.object, answer.model) == ("chat.completion", "echo")
    assert len(answer.choices) == 1
    choice = answer.choices[0]
    assert (choice.message.role, choice.message.content) == ("assistant", "hello")
    assert (choice.finish_reason, choice.message.refusal) == ("stop", None)
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (7, 3)
    assert answer.usage.total_tokens == 10


def test_the_run_of_an_answer_is_found_by_its_ids(live, asking):
    answer = ask(asking, "echo")
    assert answer.id == f"chatcmpl-{answer._request_id}"
    assert outputs_of(live, answer)["s"]["data"]["text"] == "hello"


def test_the_record_of_a_provider_is_an_answer_with_its_usage(asking):
    answer = ask(asking, "record")
    assert answer.choices[0].message.content == "Hello, hello."
    assert (answer.usage.prompt_tokens, answer.usage.total_tokens) == (11, 16)
    assert answer.usage.prompt_tokens_details.cached_tokens == 4


def test_without_a_path_nothing_is_said_of_usage(asking, gates):
    gates.of("go").set()
    assert ask(asking, "waiting", [{"role": "user", "content": "go"}]).usage is None


def test_the_last_message_of_the_user_is_the_question_and_the_others_the_conversation(live, asking):
    messages = [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": [{"type": "text", "text": "one"}]},
        {"role": "assistant", "content": "two"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "three"},
                {"type": "image_url", "image_url": {"url": "https://example.org/x.png"}},
                {"type": "text", "text": "four"},
            ],
        },
        {"role": "tool", "content": "later", "tool_call_id": "t"},
    ]
    answer = ask(asking, "echo", messages)
    seen = outputs_of(live, answer)["s"]["data"]
    assert seen["text"] == "three\nfour"
    assert seen["before"] == [["system", "Be short."], ["user", "one"], ["assistant", "two"]]
    assert seen["asked"]["messages"] == messages


def test_stages_find_the_whole_request_with_what_nobody_here_knows(live, asking):
    answer = ask(
        asking, "echo", temperature=0.25, metadata={"room": "312"}, extra_body={"brand_new": [1]}
    )
    seen = outputs_of(live, answer)["s"]["data"]
    assert seen["asked"]["temperature"] == 0.25
    assert seen["asked"]["brand_new"] == [1]
    assert seen["metadata"] == {"room": "312"}


# --- no answer ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("token", "wanted", "code"),
    [
        ("mallory", openai.AuthenticationError, "SERVE-TOKEN-REFUSED"),
        ("reader", openai.PermissionDeniedError, "SERVE-SCOPE"),
        ("broken", openai.InternalServerError, "SERVE-VERIFIER"),
    ],
)
def test_a_token_that_will_not_do_is_the_error_that_the_client_has_for_it(
    live, token, wanted, code
):
    with client_of(live, token) as client, pytest.raises(wanted) as refused:
        ask(client, "echo")
    assert refused.value.code == code
    assert refused.value.message


@pytest.mark.parametrize("name", ["nobody", "plain", "deaf"])
def test_a_model_that_there_is_not_for_this_is_not_found(asking, name):
    with pytest.raises(openai.NotFoundError) as refused:
        ask(asking, name)
    assert (refused.value.code, refused.value.param) == ("SERVE-PIPELINE-UNKNOWN", "model")


def test_a_run_that_fails_is_asked_for_once_and_tells_its_run_but_nothing_of_the_inside(live):
    desk = live.desk("failing")
    runs = desk.stats().kept.runs
    with client_of(live, max_retries=2) as asking, pytest.raises(openai.InternalServerError) as bad:
        ask(asking, "failing")
    assert desk.stats().kept.runs == runs + 1  # the client was told not to try again
    assert bad.value.status_code == 500
    assert (bad.value.code, bad.value.type) == ("STAGE-RAISED", "server_error")
    assert bad.value.request_id in bad.value.message
    assert "private" not in str(bad.value.response.text)
    with live.client() as client:
        assert client.get(f"/v1/runs/{bad.value.request_id}").json()["state"] == "failed"


def test_a_run_that_takes_too_long_is_a_gateway_timeout(asking):
    with pytest.raises(openai.InternalServerError) as late:
        ask(asking, "waiting", extra_headers={"Stageflow-Timeout": "0.05"})
    assert (late.value.status_code, late.value.code) == (504, "RUN-TIMEOUT")


def test_a_stage_that_cancels_declines_to_answer(asking):
    answer = ask(asking, "refusing")
    message = answer.choices[0].message
    assert (message.content, message.refusal) == (None, "not today")
    assert answer.choices[0].finish_reason == "content_filter"


def test_an_output_without_the_text_is_a_defect(asking):
    with pytest.raises(openai.InternalServerError) as bad:
        ask(asking, "empty")
    assert bad.value.code == "SERVE-DEFECT"


def test_too_many_runs_are_a_rate_limit_with_the_time_to_come_back(live, asking, gates):
    with client_of(live, "bob") as other:
        streams = [
            ask(other, "waiting", [{"role": "user", "content": "crowd"}], stream=True)
            for _ in range(2)
        ]
        with pytest.raises(openai.RateLimitError) as refused:
            ask(asking, "waiting")
        gates.of("crowd").set()
        for stream in streams:
            list(stream)
    assert refused.value.code == "SERVE-TOO-MANY-RUNS"
    assert int(refused.value.response.headers["retry-after"]) >= 1


@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_run_that_finds_no_room_is_refused_with_the_time_to_come_back(gates, is_streamed):
    runtime = LocalRuntime(
        event_sink=InMemoryEventSink(), settings=Settings(max_running_runs=1, max_waiting_runs=1)
    )
    pipeline = model(openai_models.waiting(gates, "waiting"))
    server = Live(build_app([pipeline], runtime=runtime, verifier=Tokens())).start()
    full = [{"role": "user", "content": f"full {is_streamed}"}]
    try:
        with server.client() as client, client_of(server) as asking:
            taken = [start(client, "waiting", input_text=f"full {is_streamed}") for _ in range(2)]
            with pytest.raises(openai.InternalServerError) as refused:
                ask(asking, "waiting", full, stream=is_streamed)
            assert (refused.value.status_code, refused.value.code) == (503, "RUN-REFUSED")
            assert int(refused.value.response.headers["retry-after"]) >= 1
            for path in taken:
                client.delete(path)
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages"),
        ({"messages": [{"content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content.str"),
        ({"stream": "yes"}, "stream"),
        ({"n": 2}, "n"),
        ({"model": 5}, "model"),
        ({"metadata": []}, "metadata"),
    ],
)
def test_a_request_of_another_form_is_told_where(client, more, param):
    body = {"model": "echo", "messages": HELLO, **more}
    answer = client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 422
    told = answer.json()["error"]
    assert (told["code"], told["param"]) == ("SERVE-INPUT", param)
    assert set(told) == {"message", "type", "param", "code"}


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (b"{", {}, 400, "SERVE-JSON"),
        (b'{"model": "echo", "model": "echo"}', {}, 400, "SERVE-JSON"),
        (b"[]", {}, 422, "SERVE-INPUT"),
        (b"{}", {"Content-Type": "text/plain"}, 415, "SERVE-MEDIA-TYPE"),
        (b'"' + b"x" * 20_001 + b'"', {}, 413, "SERVE-BODY-SIZE"),
        (b"{}", {"Authorization": ""}, 401, "SERVE-TOKEN-REFUSED"),
    ],
)
def test_a_body_that_is_refused_everywhere_is_refused_here_in_the_form_of_openai(
    client, content, headers, status, code
):
    given = {"Content-Type": "application/json", **headers}
    answer = client.post("/v1/chat/completions", content=content, headers=given)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["error"]["code"] == code


def test_one_key_starts_one_run(live, asking):
    def answer(text):
        headers = {"Idempotency-Key": "once"}
        return ask(asking, "echo", [{"role": "user", "content": text}], extra_headers=headers)

    assert answer("hello").id == answer("hello").id
    with pytest.raises(openai.ConflictError) as other:
        answer("something else")
    assert other.value.code == "SERVE-KEY-REUSED"


def test_a_client_that_goes_away_cancels_the_run_it_waits_for(live, gates):
    desk = live.desk("waiting")
    body = json.dumps({"model": "waiting", "messages": [{"role": "user", "content": "never"}]})
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ada\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(live.address) as connection:
        connection.sendall((head + body).encode())
        until(desk.live, "the start of the run")
    until(lambda: not desk.live(), "the end of the run")
    assert not gates.of("never").is_set()


def test_every_answer_is_kept_by_nobody(client):
    body = {"model": "echo", "messages": HELLO}
    answer = client.post("/v1/chat/completions", content=json.dumps(body))
    assert answer.headers["cache-control"] == "no-store"
