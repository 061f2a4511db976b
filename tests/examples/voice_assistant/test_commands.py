"""The program from outside: what it prints, how it is started, how it is stopped."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from examples.voice_assistant.pipeline import build_pipeline
from stageflow_actors.drawing.diagram import Detail, diagram_of
from stageflow_actors.drawing.text import to_text
from tests.examples.voice_assistant.recordings import EXAMPLE, RATE, floats_of, write_wav

ROOT = EXAMPLE.parents[1]
SCRIPT = [sys.executable, str(EXAMPLE / "main.py")]
PATIENCE_S = 5
PROCESSES = Path("/proc")
MODULE = [sys.executable, "-m", "examples.voice_assistant"]


def run(command, *arguments, cwd=ROOT, **environment):
    return subprocess.run(
        [*command, *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd=cwd,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize(
    ("command", "question"),
    [(SCRIPT, "breakfast"), ([*MODULE, "breakfast_again"], "eat in the morning")],
    ids=["script", "module"],
)
def test_command_tells_everything_about_its_run(command, question, tmp_path):
    done = run(command, "--runtime", "local", "--output", str(tmp_path / "answer.wav"))
    assert done.returncode == 0, done.stderr
    assert re.search(rf"^Question  .*{question}", done.stdout, re.MULTILINE)
    assert re.search(r"^Answer    Breakfast is served", done.stdout, re.MULTILINE)
    assert re.search(r"^From      hotel/breakfast", done.stdout, re.MULTILINE)
    assert f"Spoken    in {tmp_path / 'answer.wav'}" in done.stdout
    picture = to_text(diagram_of(build_pipeline().plan, Detail.FEWEST))
    assert picture in done.stdout
    for stage in build_pipeline().stage_names():
        assert re.search(rf"^{stage} +\d+ +[\d.]+ ms +[\d.]+ ms  +█+$", done.stdout, re.MULTILINE)
    assert re.search(r"all else took [\d.]+ ms, [\d.]+% of the run\.$", done.stdout.strip())


def test_script_runs_from_any_folder_and_imports_no_ray_unless_it_is_asked_for(tmp_path):
    (tmp_path / "ray.py").write_text("raise ImportError('not wanted')")
    options = ("--runtime", "local", "--output", "answer.wav")
    done = run(SCRIPT, "pets", *options, cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "answer.wav").exists()


def test_blocked_question_and_unknown_one_are_said_to_be(tmp_path):
    options = ("--runtime", "local", "--output", str(tmp_path / "answer.wav"))
    assert "Blocked   by the input guard: it asks for" in run(SCRIPT, "neighbor", *options).stdout
    assert "From      nothing" in run(SCRIPT, "football", *options).stdout


def test_terminal_without_these_characters_is_no_reason_to_fail(tmp_path):
    options = ("--runtime", "local", "--output", str(tmp_path / "answer.wav"))
    done = run(SCRIPT, "pets", *options, PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr


def listen_to_ctrl_c():
    """A program in the background is started deaf to it; the one that is tested must not be."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def processes_with(mark):
    """Ids of the living processes that have ``mark`` in their environment."""
    found = []
    for folder in PROCESSES.iterdir():
        if folder.name.isdigit():
            try:
                is_marked = mark.encode() in (folder / "environ").read_bytes()
                is_dead = (folder / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
            except OSError:
                continue
            if is_marked and not is_dead:
                found.append(int(folder.name))
    return found


def lives_on(pid):
    """Whether a process that was killed is still there after some time."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    poll = select.poll()  # select() knows no descriptor above 1023
    poll.register(process, select.POLLIN)
    ended = poll.poll(PATIENCE_S * 1000)
    os.close(process)
    return not ended


@pytest.fixture
def long_question(tmp_path):
    """A recording that is listened to for as long as one may be."""
    speech = np.resize(floats_of("breakfast"), int(14.9 * RATE))
    return write_wav(tmp_path / "question.wav", speech)


@pytest.mark.skipif(not PROCESSES.is_dir(), reason="looks for processes in /proc")
@pytest.mark.parametrize("line", ["Starting the assistant", "Asking question.wav"])
@pytest.mark.parametrize("runtime", ["local", pytest.param("ray", marks=pytest.mark.ray)])
def test_ctrl_c_leaves_no_process_and_no_traceback(runtime, line, long_question, tmp_path):
    output = tmp_path / "answer.wav"
    program = subprocess.Popen(
        [*SCRIPT, str(long_question), "--runtime", runtime, "--output", str(output)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "VOICE_ASSISTANT_TEST": str(tmp_path)},
        preexec_fn=listen_to_ctrl_c,
    )
    assert any(told.startswith(line) for told in program.stdout)
    assert processes_with(f"VOICE_ASSISTANT_TEST={tmp_path}") != []
    program.send_signal(signal.SIGINT)
    _output, error = program.communicate(timeout=60)
    assert program.returncode == 130
    assert "Stopped." in error.splitlines()
    assert "Traceback" not in error
    assert [
        pid for pid in processes_with(f"VOICE_ASSISTANT_TEST={tmp_path}") if lives_on(pid)
    ] == []
    assert not output.exists()
