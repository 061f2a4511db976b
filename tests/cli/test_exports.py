"""What the commands leave behind for a collector: all of it, before they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

import httpx
import pytest

from tests.telemetry.otlp_receiver import OtlpReceiver

PROGRAM = "from stageflow_actors.cli.app import main; main()"
SHOP = """
from stageflow_actors import Pipeline


async def answer(ctx):
    return {"text": "yes"}


shop = Pipeline("shop").with_stage("answer", answer, "work")
"""


@pytest.fixture
def receiver():
    with OtlpReceiver() as receiving:
        yield receiving


@pytest.fixture
def command(tmp_path, receiver):
    """Starts the program; it exports nothing before its end. Whatever it starts is ended."""
    (tmp_path / "shop.py").write_text(textwrap.dedent(SHOP), encoding="utf-8")
    late = {"OTEL_BSP_SCHEDULE_DELAY": "60000", "PYTHONUNBUFFERED": "1"}
    started = []

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *arguments],
            cwd=tmp_path,
            env={**os.environ, **receiver.environment(), **late},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_run_is_exported_before_its_command_ends(command, receiver):
    process = command("run", "shop:shop", "--runtime", "local", "--json")
    said, _nothing = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert {each.name for each in receiver.spans} == {
        "invoke_workflow shop",
        "stageflow.stage answer",
    }
    assert {each.resource["stageflow.process.role"] for each in receiver.spans} == {"driver"}


def test_requests_and_their_runs_are_exported_before_the_server_ends(command, receiver):
    process = command(
        "serve", "shop:shop", "--runtime", "local", "--insecure-loopback", "--port", "0"
    )
    url = next(line.split()[-1] for line in process.stdout if "Serving" in line)
    run = httpx.post(f"{url}/v1/pipelines/shop/runs", json={}, timeout=30).json()
    process.send_signal(signal.SIGINT)
    said, _nothing = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert {each.trace_id for each in receiver.spans} == {run["trace_id"]}
    assert {each.name for each in receiver.spans} == {
        "POST /v1/pipelines/{name}/runs",
        "invoke_workflow shop",
        "stageflow.stage answer",
    }
