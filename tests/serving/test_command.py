"""``stageflow-actors serve``: a real process, asked over HTTP, ended by a signal."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap

import httpx
import pytest

PROGRAM = "from stageflow_actors.cli.app import main; main()"
SHOP = """
from uuid import UUID
from stageflow_actors import AuthContext, AuthenticationError, Pipeline


async def answer(ctx):
    return {"text": ctx.snapshot.input_text.upper()}


def shop():
    return Pipeline("shop").with_stage("answer", answer, "work")


class Broken:
    async def setup(self):
        raise RuntimeError("no model")

    async def execute(self, ctx):
        return {}


def talking():
    from stageflow_actors.serving import OpenAIModel, ServedPipeline

    return ServedPipeline(shop(), openai=OpenAIModel(chat="answer.text"))


broken = Pipeline("broken").with_stage("broken", Broken, "work")


class Keys:
    async def verify(self, token):
        if token != "good":
            raise AuthenticationError("no")
        return AuthContext(UUID(int=1), None, ("runs:write",))
"""
FILE = """
name: bakery
stages:
  answer: {runner: "shop:answer", kind: work}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "shop.py").write_text(textwrap.dedent(SHOP), encoding="utf-8")
    (tmp_path / "bakery.yaml").write_text(FILE, encoding="utf-8")
    return tmp_path


@pytest.fixture
def serve(folder):
    """Starts the program; whatever it starts is ended."""
    started = []

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "serve", "--runtime", "local", *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def url_of(process):
    """The address that it prints once it answers."""
    for line in process.stdout:
        found = re.search(r"at (http://\S+)", line)
        if found:
            return found[1]
    raise AssertionError(f"it ended with {process.wait()}")


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_a_signal_comes(serve, end):
    process = serve("shop:shop", "bakery.yaml", "--insecure-loopback", "--port", "0")
    url = url_of(process)
    names = [each["name"] for each in httpx.get(f"{url}/v1/pipelines").json()["pipelines"]]
    assert names == ["shop", "bakery"]
    run = httpx.post(f"{url}/v1/pipelines/bakery/runs", json={"input_text": "bread"}).json()
    assert run["result"]["outputs"]["answer"]["data"] == {"text": "BREAD"}
    process.send_signal(end)
    printed = process.stdout.read()
    assert process.wait() == 0
    assert printed == "Stopped.\n"


def test_it_asks_for_tokens_where_it_has_a_verifier(serve):
    url = url_of(serve("shop.py:shop", "--verifier", "shop:Keys", "--port", "0"))
    path = f"{url}/v1/pipelines/shop/runs"
    assert httpx.post(path, json={}).status_code == 401
    answer = httpx.post(path, json={"input_text": "a"}, headers={"Authorization": "Bearer good"})
    assert answer.json()["state"] == "ok"


@pytest.mark.parametrize(
    ("arguments", "code", "status"),
    [
        (["shop:shop"], "SERVE-VERIFIER-MISSING", 2),
        (["shop:broken", "--insecure-loopback", "--port", "0"], "DEPLOYMENT-SETUP", 1),
    ],
)
def test_what_it_cannot_serve_ends_it_with_a_code(serve, arguments, code, status):
    process = serve(*arguments)
    printed = process.stdout.read()
    assert code in printed
    assert "Traceback" not in printed
    assert process.wait() == status


def test_the_other_commands_load_nothing_of_it():
    code = "import stageflow_actors.cli.app, sys; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"fastapi", "starlette", "uvicorn"} & set(ran.stdout.split())
    assert "stageflow_actors.serving" not in ran.stdout.split()


def test_what_is_served_may_say_itself_how(serve):
    url = url_of(serve("shop:talking", "--insecure-loopback", "--port", "0"))
    body = {"model": "shop", "messages": [{"role": "user", "content": "hello"}]}
    answer = httpx.post(f"{url}/v1/chat/completions", json=body).json()
    assert answer["choices"][0]["message"]["content"] == "HELLO"
