"""A Ray of one's own: who forks its processes, and what is left when it has gone."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress

import psutil
import pytest

from stageflow_actors import Pipeline, RayRuntime, Settings
from tests.chaos.elsewhere import start_elsewhere
from tests.forkserver.stages import tell_parent

pytestmark = [pytest.mark.ray, pytest.mark.skipif(sys.platform != "linux", reason="Linux only")]

THREAD = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
STAGES = "abcdefgh"[: (os.cpu_count() or 6) + 2]
"""More than Ray has started processes for before there is a job."""
PATIENCE_S = 30


def run_in_own_ray(folder, settings):
    """Write down the parents of the stages' processes, and the processes that forked them."""
    pipeline = Pipeline()
    for name in STAGES:
        pipeline = pipeline.with_stage(name, tell_parent, "work")
    results = pipeline.run_sync(runtime=RayRuntime(address="local", settings=settings))
    seen = [results[name].data for name in STAGES]
    servers = [
        process.pid for process in psutil.process_iter() if is_server_of(process, os.getpid())
    ]
    (folder / "seen.json").write_text(json.dumps([seen, servers]))


def is_server_of(process, driver):
    """Whether it forks for the Ray that ``driver`` has started."""
    try:
        if "forkserver" not in " ".join(process.cmdline()):
            return False
        raylet = psutil.Process(int(process.environ()["RAY_RAYLET_PID"]))
        return driver in [parent.pid for parent in raylet.parents()]
    except (psutil.Error, KeyError):
        return False


def seen_in_own_ray(folder, settings=None, **environment):
    def run():
        os.environ.update(environment)
        run_in_own_ray(folder, settings)

    process = start_elsewhere(run)
    _out, told = process.communicate(timeout=110)
    assert process.returncode == 0, told.decode()
    seen, servers = json.loads((folder / "seen.json").read_text())
    return [one["parent"] for one in seen], servers, told.decode()


def test_its_processes_are_forked_by_one_that_ends_with_it(tmp_path):
    parents, [server], _told = seen_in_own_ray(tmp_path)
    assert any("forkserver" in parent for parent in parents)
    with suppress(psutil.NoSuchProcess):
        psutil.Process(server).wait(PATIENCE_S)
    assert not psutil.pid_exists(server)


def test_not_where_the_settings_say_no(tmp_path):
    parents, servers, _told = seen_in_own_ray(tmp_path, Settings(fork_processes=False))
    assert servers == []
    assert not any("forkserver" in parent for parent in parents)


def test_not_where_python_has_threads_before_anything_was_imported(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(THREAD)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    parents, [_server], _told = seen_in_own_ray(tmp_path, PYTHONPATH=path)
    assert len(parents) == len(STAGES)
    assert not any("forkserver" in parent for parent in parents)
