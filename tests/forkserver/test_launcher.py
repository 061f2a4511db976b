"""What Ray starts in place of Python becomes Python whenever no worker can be forked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stageflow_actors.actors.forkserver import interpreter, launcher, server
from stageflow_actors.actors.forkserver.interpreter import forked_workers

LAUNCHER = Path(launcher.__file__)
ROOT = Path(__file__).parents[2]
PREPARE = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("server", sys.argv[1])
sys.modules["server"] = server = importlib.util.module_from_spec(spec)
spec.loader.exec_module(server)
server.prepare()
print(sys.modules["stageflow_actors"].__file__)
print(sys.path)
"""
TELL = "import json, os, sys; print(json.dumps([sys.argv, dict(os.environ), os.getpid()]))"
text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
names = text.filter(lambda name: name and "=" not in name)


def launched(arguments, **environment):
    process = subprocess.Popen(
        [sys.executable, "-IS", LAUNCHER, sys.executable, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
    )
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return process.pid, json.loads(told)


WORKER = {"RAY_JOB_ID": "01000000", "RAY_RAYLET_PID": str(os.getpid())}
REAPS = "RAY_kill_child_processes_on_worker_exit_with_raylet_subreaper"


@pytest.mark.parametrize(
    ("name", "words", "environment"),
    [
        ("default_worker.py", ["--node-id=1"], {}),
        ("default_worker.py", ["--node-id=1"], WORKER | {"RAY_JOB_ID": "ffffffff"}),
        ("default_worker.py", ["--node-id=1"], WORKER | {REAPS: "true"}),
        ("default_worker.py", ["--other=1"], WORKER),
        ("setup_worker.py", ["--node-id=1"], WORKER),
    ],
    ids=["no job", "no job yet", "Ray would kill it", "no node", "another script"],
)
def test_what_no_server_makes_is_run_by_python_itself(tmp_path, name, words, environment):
    script = tmp_path / name
    script.write_text(TELL)
    pid, told = launched([script, *words, "--a b", ""], KEPT="yes", **environment)
    assert told[0] == [str(script), *words, "--a b", ""]
    assert {"KEPT": "yes", **environment}.items() <= told[1].items()
    assert told[2] == pid, "Ray knows the process by this number"


def test_a_server_that_fails_to_start_leaves_it_to_python(tmp_path):
    """This raylet has never been: the server ends before it takes a request."""
    script = tmp_path / "default_worker.py"
    script.write_text(TELL)
    environment = WORKER | {"RAY_RAYLET_PID": "999999999"}
    pid, told = launched([script, f"--node-id={uuid4().hex}"], **environment)
    assert told[2] == pid


@given(st.lists(text, min_size=1), st.dictionaries(names, text))
def test_the_server_reads_what_the_launcher_writes(arguments, environment):
    with pytest.MonkeyPatch.context() as patch:
        given_as = {os.fsencode(name): os.fsencode(value) for name, value in environment.items()}
        patch.setattr(os, "environb", given_as)
        sent = launcher._request(arguments)
        request = server.parse(sent[4:])
        assert int.from_bytes(sent[:4], "big") == len(sent) - 4
        assert request == server.Request(os.getpgrp(), arguments, given_as)


def test_ray_finds_another_interpreter_while_it_is_started_and_the_same_one_after_it():
    python = sys.executable
    with pytest.raises(RuntimeError, match="no Ray"), forked_workers():
        assert sys.executable != python
        told = subprocess.check_output([sys.executable, "-c", TELL, "it's", "two words", ""])
        assert json.loads(told)[0] == ["-c", "it's", "two words", ""]
        raise RuntimeError("no Ray")
    assert sys.executable == python


def test_there_is_one_script_however_often_ray_is_started_and_while_this_process_is():
    with forked_workers():
        script = sys.executable
    with forked_workers():
        assert sys.executable == script
    assert subprocess.check_output([script, "-c", "print(7)"]) == b"7\n"


def test_a_script_whose_launcher_has_gone_starts_python(monkeypatch, tmp_path):
    monkeypatch.setattr(interpreter, "_LAUNCHER", "gone.py")
    with forked_workers():
        assert subprocess.check_output([sys.executable, "-c", "print(7)"]) == b"7\n"


def test_where_it_cannot_be_the_log_says_why_and_ray_is_started_as_always(caplog, monkeypatch):
    def refuse(pid):
        raise OSError("not permitted here")

    monkeypatch.setattr(os, "pidfd_open", refuse)
    python = sys.executable
    with forked_workers():
        assert sys.executable == python
    [record] = caplog.records
    assert "not forked: not permitted here" in record.getMessage()


def test_the_server_has_the_library_of_the_program_and_not_one_that_is_installed(tmp_path):
    shutil.copytree(ROOT / "stageflow_actors", tmp_path / "stageflow_actors")
    server = tmp_path / "stageflow_actors/actors/forkserver/server.py"
    told = subprocess.check_output([sys.executable, "-c", PREPARE, server], cwd=ROOT, text=True)
    [where, path] = told.splitlines()
    assert Path(where).is_relative_to(tmp_path)
    assert str(tmp_path) not in path, "a process finds what Ray tells it to, and nothing else"
