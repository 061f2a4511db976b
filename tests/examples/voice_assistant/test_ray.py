"""The same on Ray: a process per stage, and the same answers."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from examples.voice_assistant.pipeline import build_pipeline
from stageflow_actors import RayRuntime
from tests.examples.voice_assistant.conftest import ask_all
from tests.examples.voice_assistant.recordings import EXAMPLE, EXPECTED

pytestmark = pytest.mark.ray


async def test_ray_answers_every_recording_as_the_local_runtime_does(ray_session, asked, tmp_path):
    found = await ask_all(RayRuntime(), tmp_path)
    for one in EXPECTED:
        name = one["name"]
        assert found[name].question == asked[name].question
        assert found[name].answer == asked[name].answer
        there, here = (one.output.stat().st_size for one in (asked[name], found[name]))
        assert here == pytest.approx(there, rel=0.01)  # the voice is never quite the same


def test_command_answers_from_any_folder_with_a_process_per_stage(tmp_path):
    """The processes of Ray cannot import the example there: its code has to travel."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLE / "main.py"), "--output", "answer.wav"],
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
