"""The same on Ray: a process per stage, and the same answers."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from examples.voice_assistant.pipeline import build_pipeline
from stageflow_actors import LocalRuntime, RayRuntime, Settings
from tests.examples.voice_assistant.conftest import ask
from tests.examples.voice_assistant.recordings import (
    ANSWERED,
    BLOCKED,
    EXAMPLE,
    EXPECTED,
    UNKNOWN,
    path_of,
)

pytestmark = pytest.mark.ray


SHORT = next(one for one in ANSWERED if one["name"] == "pets")
FEW = [SHORT, UNKNOWN[0], BLOCKED[0]]
TWO_HOSTS = Settings(max_hosts_per_deployment=2)  # sooner there than a process for each stage


async def asked_on(runtime, recordings, folder):
    folder.mkdir()
    async with runtime.deploy(build_pipeline()) as app:
        names = [one["name"] for one in recordings]
        return [await ask(app, path_of(name), folder / f"{name}.wav") for name in names]


@pytest.mark.parametrize(
    "recordings", [FEW, pytest.param(EXPECTED, marks=pytest.mark.stress)], ids=["few", "every"]
)
async def test_ray_answers_recordings_as_the_local_runtime_does(recordings, ray_session, tmp_path):
    here = await asked_on(LocalRuntime(), recordings, tmp_path / "here")
    there = await asked_on(RayRuntime(settings=TWO_HOSTS), recordings, tmp_path / "there")
    for one, other in zip(here, there, strict=True):
        assert other.question == one.question
        assert other.answer == one.answer
        sizes = (each.output.stat().st_size for each in (one, other))
        assert next(sizes) == pytest.approx(next(sizes), rel=0.01)  # the voice is never quite equal


@pytest.mark.usefixtures("joined_ray")
def test_command_answers_from_any_folder_with_a_process_per_stage(tmp_path):
    """The processes of Ray cannot import the example there: its code has to travel."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLE / "main.py"), "breakfast_again", "--output", "answer.wav"],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "Answer    Breakfast is served from seven" in done.stdout
    assert (tmp_path / "answer.wav").stat().st_size > 50_000
    processes = re.findall(r"^(\w+) +(\d+) +[\d.]+ ms +[\d.]+ ms", done.stdout, re.MULTILINE)
    assert [name for name, _pid in processes] == build_pipeline().stage_names()
    assert len({pid for _name, pid in processes}) == len(processes)
