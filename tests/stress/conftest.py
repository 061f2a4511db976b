"""Full counts on every runtime; each test has a small count, too, which is not marked as stress."""

from __future__ import annotations

import pytest

from stageflow_actors import LocalRuntime, RayRuntime, Settings

RUNTIMES = {"local": LocalRuntime, "ray": RayRuntime}


@pytest.fixture(params=["local", pytest.param("ray", marks=pytest.mark.ray)])
def runtime(request):
    if request.param == "ray":
        request.getfixturevalue("ray_session")
    return RUNTIMES[request.param](settings=Settings(grace_s=0.05))


@pytest.fixture(params=[False, pytest.param(True, marks=pytest.mark.stress)], ids=["few", "many"])
def is_full(request):
    """Whether the full count is wanted."""
    return request.param
