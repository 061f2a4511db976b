"""With an endpoint, a language model words the answer. Whatever it does, there is an answer."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from examples.voice_assistant.language_model import PREFIX, Endpoint, endpoint_from
from examples.voice_assistant.pipeline import build_pipeline, with_answer
from examples.voice_assistant.problems import Problem
from stageflow_actors import LLMResponse, LocalRuntime, Pipeline, StageOutput
from tests.examples.voice_assistant.conftest import ask
from tests.examples.voice_assistant.recordings import path_of

pytest.importorskip("httpx")


class ChatServer(ThreadingHTTPServer):
    """Answers every chat with ``content``, and keeps what it was asked."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), ChatRequest)
        self.content, self.status, self.asked = "", 200, []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/v1"


class ChatRequest(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, self.headers["Authorization"], body))
        message = {"message": {"content": self.server.content}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 42, "completion_tokens": 7}
        answer = {"id": "chat-1", "model": "tiny-1", "choices": [message], "usage": usage}
        content = json.dumps(answer).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def server():
    with ChatServer() as chat:
        thread = threading.Thread(target=chat.serve_forever, args=[0.01])
        thread.start()
        yield chat
        chat.shutdown()
        thread.join()


class Heard:
    """Stands in for the stage that hears: with what that has heard."""

    kind = "transform"

    def __init__(self, question):
        self._question = question

    async def execute(self, ctx):
        return StageOutput.ok(question=self._question)


@pytest.fixture
def ask_with(asked, tmp_path):
    """Ask what was heard in a recording, without hearing it again; nothing is spoken."""

    async def ask_once(endpoint, recording):
        heard = {"question": asked[recording].question}
        pipeline = Pipeline("voice_assistant").with_stage("hear", Heard, config=heard)
        async with LocalRuntime().deploy(with_answer(pipeline, endpoint)) as app:
            return await ask(app, path_of(recording), tmp_path / "answer.wav")

    return ask_once


async def test_model_words_the_answer_from_the_passages(server, ask_with):
    server.content = " You can have breakfast from seven until 10:30. "
    run = await ask_with(Endpoint(server.url, "tiny", "secret"), "breakfast")
    assert run.answer == "You can have breakfast from seven until 10:30."
    ((path, authorization, body),) = server.asked
    assert (path, authorization, body["model"]) == (
        "/v1/chat/completions",
        "Bearer secret",
        "tiny",
    )
    assert "seven to half past ten" in body["messages"][0]["content"]
    assert body["messages"][1] == {"role": "user", "content": run.question}
    record = LLMResponse.from_dict(run["answer"]["llm"])
    assert (record.total_tokens, record.response_model, record.finish_reason) == (
        49,
        "tiny-1",
        "stop",
    )


async def test_number_that_the_model_made_up_is_not_spoken(server, ask_with):
    server.content = "Breakfast is served from five to nine."
    run = await ask_with(Endpoint(server.url, "tiny"), "breakfast")
    assert "seven to half past ten" in run.answer
    assert run["output_guard"]["changes"]


@pytest.mark.parametrize("recording", ["football", "neighbor"])
async def test_model_is_not_asked_what_has_no_answer_or_is_blocked(server, ask_with, recording):
    run = await ask_with(Endpoint(server.url, "tiny"), recording)
    assert run.result.ok
    assert server.asked == []


async def test_passages_answer_where_the_model_fails(server, tmp_path):
    server.status = 503
    pipeline = build_pipeline(Endpoint(server.url, "tiny"))
    async with LocalRuntime().deploy(pipeline) as app:
        run = await ask(app, path_of("pets"), tmp_path / "answer.wav")
    assert "Dogs are welcome" in run.answer
    assert "503" in run["answer"]["note"]


async def test_passages_answer_where_nobody_listens(ask_with):
    run = await ask_with(Endpoint("http://127.0.0.1:9/v1", "tiny"), "pets")
    assert "Dogs are welcome" in run.answer
    assert "The language model gave no answer" in run["answer"]["note"]


def test_environment_names_the_endpoint_and_nothing_else_does():
    assert endpoint_from({}) is None
    assert endpoint_from({"OPENAI_API_KEY": "secret"}) is None
    named = {f"{PREFIX}URL": "http://x/v1/", f"{PREFIX}MODEL": "tiny", f"{PREFIX}KEY": "secret"}
    endpoint = endpoint_from(named)
    assert endpoint == Endpoint("http://x/v1", "tiny", "secret")
    assert "secret" not in repr(endpoint)


@pytest.mark.parametrize(
    "environment",
    [{"URL": "http://x/v1"}, {"MODEL": "tiny"}, {"URL": "localhost:1", "MODEL": "tiny"}],
    ids=["no model", "no address", "no protocol"],
)
def test_half_an_endpoint_is_refused(environment):
    with pytest.raises(Problem, match=f"{PREFIX}URL and {PREFIX}MODEL"):
        endpoint_from({f"{PREFIX}{name}": value for name, value in environment.items()})
