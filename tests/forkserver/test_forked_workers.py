"""Workers that are forked are what Ray asked for: nothing of it, or of the user, sees another."""

from __future__ import annotations

import os
import signal
import sys

import psutil
import pytest

from tests.forkserver.stages import Tells, command

pytestmark = [pytest.mark.ray, pytest.mark.skipif(sys.platform != "linux", reason="Linux only")]

PATIENCE_S = 30


@pytest.fixture
def actors(ray_session):
    """Starts bare actors, and says which of them were forked, and the server that did it."""
    started = []

    def start(count=1, **options):
        made = [
            ray_session.remote(Tells).options(num_cpus=0, **options).remote() for _ in range(count)
        ]
        started.extend(made)
        return made, ray_session.get([actor.pids.remote() for actor in made])

    yield start
    for actor in started:
        ray_session.kill(actor)


def forked_of(actors):
    """An actor that was forked: of the processes that Ray has at hand some may not be."""
    for _try in range(20):
        [actor], [(pid, parent)] = actors()
        if "forkserver" in command(parent):
            return actor, pid, parent
    pytest.fail("no process was forked")


def gone(pid):
    try:
        psutil.Process(pid).wait(PATIENCE_S)
    except psutil.NoSuchProcess:
        return True
    return not psutil.pid_exists(pid)


def test_a_forked_process_is_like_one_that_was_started(ray_session, actors):
    """The other one has a ``runtime_env``, for which Ray starts Python by another way."""
    forked, _pid, _server = forked_of(actors)
    [other], [(_pid, parent)] = actors(runtime_env={"env_vars": {"OTHER": "1"}})
    assert "forkserver" not in command(parent)
    one, two = ray_session.get([forked.process.remote(), other.process.remote()])
    assert two["environment"].pop("OTHER") == "1"
    for process in one, two:
        del process["environment"]["RAY_CLIENT_MODE"]
    own = {"RAY_JOB_ID", "RAY_RAYLET_PID"}
    assert own <= set(one["environment"])
    assert one == two


def test_processes_that_were_forked_at_once_have_one_server_and_no_random_number_twice(
    ray_session, actors
):
    forked_of(actors)
    many, pids = actors(24)
    servers = {parent for _pid, parent in pids if "forkserver" in command(parent)}
    assert len(servers) == 1
    chances = ray_session.get([actor.chance.remote() for actor in many])
    for values in zip(*chances, strict=True):
        assert len(set(values)) == len(many)


def test_a_forked_process_learns_how_its_own_children_ended(ray_session, actors):
    forked, _pid, _server = forked_of(actors)
    assert ray_session.get(forked.exit_of_child.remote()) == 7


def test_what_a_killed_process_had_started_ends_with_it(ray_session, actors):
    forked, pid, _server = forked_of(actors)
    child = ray_session.get(forked.has_child.remote())
    os.kill(pid, signal.SIGKILL)
    assert gone(child)


def test_a_server_that_was_killed_is_replaced_and_its_workers_work_on(ray_session, actors):
    forked, pid, server = forked_of(actors)
    os.kill(server, signal.SIGKILL)
    assert gone(server)
    assert ray_session.get(forked.pids.remote())[0] == pid
    _actor, _pid, successor = forked_of(actors)
    assert successor != server


def test_nothing_is_left_of_who_asked_or_of_who_ended(ray_session, actors):
    _forked, pid, server = forked_of(actors)
    os.kill(pid, signal.SIGKILL)
    assert gone(pid)
    of_server = psutil.Process(server).children()
    of_raylet = psutil.Process(int(environment_of(server)["RAY_RAYLET_PID"])).children()
    states = [process.status() for process in (*of_server, *of_raylet)]
    assert psutil.STATUS_ZOMBIE not in states


def environment_of(pid):
    return psutil.Process(pid).environ()
