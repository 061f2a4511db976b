"""Ctrl-C, given to the whole program in a process group of its own, as a terminal does it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from stageflow_actors.cli import processes

PROGRAM = "import sys; from stageflow_actors.cli.app import main; sys.argv[0] = 'sa'; main()"
MODULE = """
    import asyncio, os, subprocess, sys, time
    from pathlib import Path
    from stageflow_actors import Pipeline, StageKind

    def note(name): Path(name).write_text(str(os.getpid()))
    def begin_as(name): note(f"{name} started"); note("started")

    async def first(ctx): return {"text": "done"}
    async def wait(ctx):
        begin_as("wait")
        try:
            await asyncio.Event().wait()
        finally:
            note("told")
    def block(ctx):
        begin_as("block")
        time.sleep(600)
    async def freeze(ctx):
        begin_as("freeze")
        time.sleep(600)
    async def spawn(ctx):
        deaf = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(600)"
        child = subprocess.Popen([sys.executable, "-c", deaf], start_new_session=True)
        Path("child").write_text(str(child.pid))
        begin_as("spawn")
        await asyncio.Event().wait()

    class Slow:
        name, kind = "slow", StageKind.WORK
        async def setup(self):
            note("started")
            await asyncio.Event().wait()
        async def execute(self, ctx): ...

    begin = Pipeline("p").with_stage("first", first, "work")
    waits = begin.with_stage("wait", wait, "work", "first")
    blocks = begin.with_stage("block", block, "work", "first")
    freezes = begin.with_stage("freeze", freeze, "work", "first")
    spawns = begin.with_stage("spawn", spawn, "work", "first")
    everything = begin
    for runner in (wait, block, freeze, spawn):
        everything = everything.with_stage(runner.__name__, runner, "work", "first")
    opens = begin.with_stage("slow", Slow, dependencies="first")

    def linger():
        note("started")
        time.sleep(600)
    lingers = begin
    if "linger" in os.environ:
        import atexit
        atexit.register(linger)
"""
LIMIT_S = 60
"""For the whole program to come up and end; generous, as only hanging is the fault here."""


class Interrupted:
    """The program, interrupted when its stages had started, and what was left of it."""

    def __init__(self, folder, *arguments, once=("started",)):
        (folder / "shop.py").write_text(textwrap.dedent(MODULE), encoding="utf-8")
        self.folder = folder
        program = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "run", *arguments],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            for name in once:
                self._wait_for(name, program)
            below = processes.below(program.pid)
            os.killpg(program.pid, signal.SIGINT)
            self.stdout, self.stderr = program.communicate(timeout=LIMIT_S)
        finally:
            program.kill()
        self.code = program.returncode
        self.had = len(below)
        self.left = below & set(processes._all_processes())
        self.left = {each for each in self.left if not is_zombie(each.pid)}

    def _wait_for(self, name, program):
        deadline = time.monotonic() + LIMIT_S
        while not (self.folder / name).exists():
            assert program.poll() is None, program.communicate()
            assert time.monotonic() < deadline, "the stage did not start"
            time.sleep(0.02)


def is_zombie(pid):
    listed = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return listed.stdout.strip().startswith("Z") or not listed.stdout.strip()


def test_interrupt_while_the_program_ends_ends_it_without_a_traceback(tmp_path, monkeypatch):
    monkeypatch.setenv("linger", "1")
    ended = Interrupted(tmp_path, "shop:lingers", "--runtime", "local")
    assert "p: ok after" in ended.stdout
    assert (ended.code, ended.stderr) == (130, "")


RUNTIMES = ["local", pytest.param("ray", marks=pytest.mark.ray)]
# Each needs a Ray of its own: in every run, one is enough for all of these stages together.
ALONE = ["local", pytest.param("ray", marks=[pytest.mark.ray, pytest.mark.stress])]


@pytest.mark.parametrize("runtime", ALONE)
def test_interrupted_run_is_cancelled_and_leaves_no_process(tmp_path, runtime):
    ended = Interrupted(tmp_path, "shop:waits", "--runtime", runtime)
    assert ended.code == 130, ended.stderr
    assert (tmp_path / "told").exists()  # the stage was cancelled, not killed
    assert "p: cancelled after" in ended.stdout
    assert "stopped by <external>: interrupted by Ctrl-C" in ended.stdout
    assert ended.left == set()
    assert ended.had > 3 or runtime == "local"


@pytest.mark.parametrize("runtime", ALONE)
def test_json_of_an_interrupted_run_has_what_had_finished(tmp_path, runtime):
    ended = Interrupted(tmp_path, "shop:waits", "--runtime", runtime, "--json")
    document = json.loads(ended.stdout)
    assert ended.code == 130
    assert (document["status"], document["reason"]) == ("cancelled", "interrupted by Ctrl-C")
    assert document["outputs"]["first"]["data"] == {"text": "done"}
    assert list(document["cancelled"]) == ["wait"]


@pytest.mark.parametrize("runtime", ALONE)
@pytest.mark.parametrize("pipeline", ["blocks", "freezes"])
def test_interrupted_stage_that_does_not_stop_is_ended_or_given_up(tmp_path, runtime, pipeline):
    ended = Interrupted(tmp_path, f"shop:{pipeline}", "--runtime", runtime)
    assert ended.code == 130
    # Only what freezes the very event loop that would have to decide leaves no verdict.
    is_frozen = (pipeline, runtime) == ("freezes", "local")
    assert ("did not end in time" if is_frozen else "p: cancelled after") in ended.stdout
    assert ended.left == set()


def test_json_of_a_run_that_does_not_stop_is_a_document_too(tmp_path):
    ended = Interrupted(tmp_path, "shop:freezes", "--runtime", "local", "--json")
    document = json.loads(ended.stdout)
    assert (document["status"], document["error"]["code"]) == ("cancelled", "CLI-INTERRUPTED")


def test_json_names_the_stage_that_was_given_up(tmp_path):
    ended = Interrupted(tmp_path, "shop:blocks", "--runtime", "local", "--json")
    document = json.loads(ended.stdout)
    assert (document["status"], document["abandoned"]) == ("cancelled", ["block"])


@pytest.mark.ray
def test_interrupted_stages_of_every_kind_end_together(tmp_path):
    stages = ["wait", "block", "freeze", "spawn"]
    begun = [f"{name} started" for name in stages]
    ended = Interrupted(tmp_path, "shop:everything", "--runtime", "ray", "--json", once=begun)
    document = json.loads(ended.stdout)
    assert ended.code == 130, ended.stderr
    assert (document["status"], document["reason"]) == ("cancelled", "interrupted by Ctrl-C")
    assert document["outputs"]["first"]["data"] == {"text": "done"}
    assert set(document["cancelled"]) == set(stages)
    assert (tmp_path / "told").exists()  # who can be told was, though others cannot
    assert is_zombie(int((tmp_path / "child").read_text()))
    assert (ended.left, ended.had > 3) == (set(), True)


@pytest.mark.parametrize("runtime", ALONE)
def test_processes_that_a_stage_has_started_end_too(tmp_path, runtime):
    ended = Interrupted(tmp_path, "shop:spawns", "--runtime", runtime)
    child = int((tmp_path / "child").read_text())
    has_ended = is_zombie(child)
    if not has_ended:
        os.kill(child, signal.SIGKILL)
    assert (ended.code, has_ended) == (130, True)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_interrupted_while_stages_are_set_up_leaves_no_process(tmp_path, runtime):
    ended = Interrupted(tmp_path, "shop:opens", "--runtime", runtime)
    assert ended.code == 130
    assert "Interrupted." in ended.stderr
    assert ended.left == set()
    assert "Traceback" not in ended.stderr


def test_an_interrupted_run_is_recorded_to_its_end(tmp_path):
    ended = Interrupted(tmp_path, "shop:waits", "--runtime", "local", "--record", "e.jsonl")
    assert (ended.code, "Recorded in e.jsonl." in ended.stderr) == (130, True)
    lines = (tmp_path / "e.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[-1])["type"] == "pipeline.cancelled"
