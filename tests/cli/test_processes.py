import os
import select
import subprocess
import sys

import pytest

from stageflow_actors.cli import processes
from stageflow_actors.cli.processes import Process

TREE = """
import subprocess, sys
waits = "import sys; print(1, flush=True); sys.stdin.read()"
subprocess.Popen([sys.executable, "-c", waits]).wait()
"""
STARTS_OTHERS = """
import os, time
print(1, end="", flush=True)
for _ in range(1000):
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
"""


@pytest.fixture
def tree():
    """A process with a child, both waiting."""
    parent = subprocess.Popen(
        [sys.executable, "-c", TREE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout.readline() == "1\n"
    yield parent
    parent.kill()
    parent.communicate()


def test_children_of_children_are_found(tree):
    pids = {process.pid for process in processes.below(os.getpid())}
    (child,) = processes.below(tree.pid)
    assert {tree.pid, child.pid} <= pids


def test_processes_are_ended(tree):
    processes.end(processes.below(tree.pid))
    assert tree.wait(timeout=30) == 0


def test_one_that_keeps_starting_others_leaves_none():
    """Each of them holds the pipe open: its end is read only once all of them are gone."""
    for _ in range(5):
        starter = subprocess.Popen([sys.executable, "-c", STARTS_OTHERS], stdout=subprocess.PIPE)
        assert starter.stdout.read(1) == b"1"
        processes.end({each for each in processes.below(os.getpid()) if each.pid == starter.pid})
        ends, _, _ = select.select([starter.stdout], [], [], 30)
        assert ends
        starter.communicate()


def test_another_process_with_the_same_number_is_left_alone(tree):
    (child,) = processes.below(tree.pid)
    processes.end({Process(child.pid, child.parent, "another birth")})
    assert processes.below(tree.pid) == {child}


def test_what_has_ended_meanwhile_is_no_error():
    processes.end({Process(2**22 + 1, 1, "0")})


def test_the_tool_of_other_systems_tells_the_same(tree):
    listed = {process.pid: process.parent for process in processes._from_ps()}
    (child,) = processes.below(tree.pid)
    assert listed[child.pid] == tree.pid
