"""A stage process goes with the supervisor that calls it, without waiting for Ray to end it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from stageflow_actors import Pipeline, RayRuntime
from tests.actors.process_stages import tell_pid
from tests.actors.watching import gone, is_there, pids_in

GOES = """
import asyncio, sys
from stageflow_actors.actors.farewell import go_with
print("here", flush=True)
asyncio.run(go_with(int(sys.argv[1])))
"""
CALLS = """
import pickle, socket, sys
from stageflow_actors.actors.direct_door import path_of
from stageflow_actors.actors.direct_frames import ANSWER, frame
name, token = sys.argv[1], bytes.fromhex(sys.argv[2])
line = socket.socket(socket.AF_UNIX)
line.connect(path_of(name))
line.sendall(frame(0, ANSWER, token + pickle.dumps(1)) + frame(1, ANSWER, b"nonsense"))
print(line.recv(1), flush=True)
sys.stdin.read()
"""


def program(text, *arguments):
    """A process that runs this, and has begun."""
    command = [sys.executable, "-c", text, *map(str, arguments)]
    started = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    assert started.stdout.readline()
    return started


def ended(process):
    """Its exit code."""
    process.communicate()
    return process.returncode


def test_a_process_goes_with_another_and_outlives_one_that_stays():
    with program("print('here', flush=True); input()") as other:
        goes = program(GOES, other.pid)
        other.kill()
        assert ended(goes) == 1
        ended(other)
    with program("print('here', flush=True); input()") as other:
        assert ended(program(GOES, other.pid)) == 0
        other.communicate("\n")


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
async def test_the_process_of_a_stage_is_gone_when_its_caller_is():
    pipeline = Pipeline("one").with_stage("a", tell_pid, "work", effects="none")

    def door_of(supervisor):
        (post,) = supervisor._group._posts
        return post.staff[0].actor.door.remote()

    async with RayRuntime().deploy(pipeline) as app:
        (pid,) = pids_in(await app.describe()).values()
        address = await (await app.supervisor.actor.__ray_call__.remote(door_of))
        caller = program(CALLS, address.name, address.token.hex())
        assert is_there(pid)
        caller.kill()
        await gone(pid)
        ended(caller)
        results = await app.run()
        assert results["a"].data["pid"] != pid
