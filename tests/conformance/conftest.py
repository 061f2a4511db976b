"""Every test here runs on every runtime: what differs between them is a defect."""

from __future__ import annotations

import pytest

from stageflow_actors import InMemoryEventSink, LocalRuntime, RayRuntime
from tests.conformance.which_cross import IN_EVERY_RUN


def pytest_collection_modifyitems(items):
    """Leave the crossing of processes that is not for every run to the full counts."""
    for item in items:
        module = getattr(item, "module", None)
        chosen = IN_EVERY_RUN.get(getattr(module, "__name__", "").rpartition(".")[2])
        is_spared = chosen is not None and item.originalname not in chosen
        if is_spared and item.get_closest_marker("ray"):
            item.add_marker(pytest.mark.stress)


@pytest.fixture
def sink():
    return InMemoryEventSink()


@pytest.fixture(params=["local", pytest.param("ray", marks=pytest.mark.ray)])
def runtime(request, sink):
    if request.param == "local":
        return LocalRuntime(event_sink=sink)
    request.getfixturevalue("ray_session")
    return RayRuntime(event_sink=sink)


@pytest.fixture
def run(runtime):
    """Deploys a pipeline, runs it once and returns the result."""

    async def run_once(pipeline, ctx=None, /, **parts):
        async with runtime.deploy(pipeline) as app:
            handle = await app.start(ctx, **parts)
            return await handle.result()

    return run_once
