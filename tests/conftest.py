"""What every test may use: one Ray per session, and engine invariants checked after every step."""

from __future__ import annotations

import compileall
import gc
import os
from pathlib import Path

# Before Ray is imported by anything: a private cluster without token, report or upload, whose
# processes need not wait for what else is tested at the same time.
os.environ.setdefault("RAY_AUTH_MODE", "disabled")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
os.environ.setdefault("RAY_worker_niceness", "0")
# Ray would start itself for whoever asks it anything, and stay beside all tests that come after.
os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"
# Nothing is asked beyond this machine: no client reads all certificates of the world as it is made.
os.environ["SSL_CERT_DIR"] = str(Path(__file__).parent)

import pytest
from hypothesis import settings

import stageflow_actors
from stageflow_actors.engine import invariants
from stageflow_actors.engine.machine import RunMachine

# No example fails for the time that it takes: other work may go on beside it.
settings.register_profile(
    "patient", settings.get_profile(settings.get_current_profile_name()), deadline=None
)
settings.load_profile("patient")

TESTS = Path(__file__).parent
RAY_CPUS = 4
"""Of the one Ray. So many processes that have nothing to do are kept by it, too."""


def pytest_sessionstart():
    """Compiled once, here, the library is imported in half the time by each process of a test.

    What is collected stays: to look through it for garbage, again and again, takes seconds.
    """
    compileall.compile_dir(stageflow_actors.__path__[0], quiet=2)
    gc.disable()


def pytest_collection_finish():
    """From here on there is garbage, among what comes now."""
    gc.freeze()
    gc.enable()


def pytest_ignore_collect(collection_path, config):
    """Who asks for tests with Ray reads no folder that has none: most have none."""
    is_folder_of_tests = collection_path.parent == TESTS and collection_path.is_dir()
    if is_folder_of_tests and config.option.markexpr.startswith("ray and "):
        return None if may_need_ray(collection_path) else True
    return None


def pytest_collection_modifyitems(items):
    """A test with Ray that would not be found like this is an error, here, where all are found."""
    needy = [item for item in items if item.get_closest_marker("ray")]
    for folder in {below(item.path) for item in needy} - {None}:
        assert may_need_ray(folder), f"Ray is marked in {folder.name} by what is elsewhere."


def may_need_ray(folder):
    """Whether any of its files says so."""
    return any("mark.ray" in file.read_text(encoding="utf-8") for file in folder.rglob("*.py"))


def below(path):
    """The folder of a test, if it has one of its own."""
    parts = path.relative_to(TESTS).parts if path.is_relative_to(TESTS) else ()
    return TESTS / parts[0] if len(parts) > 1 else None


@pytest.fixture(autouse=True)
def checked_engine(monkeypatch):
    """Every run in this process has its invariants checked after each of its steps."""
    advance = RunMachine.advance

    def advance_and_check(self, facts):
        commands = advance(self, facts)
        invariants.check(self.state)
        return commands

    monkeypatch.setattr(RunMachine, "advance", advance_and_check)


@pytest.fixture(scope="session")
def ray_session():
    """The one Ray of this session."""
    import ray

    from stageflow_actors.actors.forkserver.interpreter import forked_workers

    with forked_workers():
        ray.init(
            address="local",
            num_cpus=RAY_CPUS,
            include_dashboard=False,
            log_to_driver=False,
            object_store_memory=150 * 2**20,
        )
    yield ray
    ray.shutdown()


@pytest.fixture
def joined_ray(ray_session, monkeypatch):
    """Programs that a test starts join the Ray of this session, where it is not their own to start.

    A Ray of their own would be there seconds later, and take the cores of both.
    """
    monkeypatch.setenv("RAY_ADDRESS", ray_session.get_runtime_context().gcs_address)
