"""Every test here runs on every runtime: what differs between them is a defect."""

from __future__ import annotations

import pytest

from stageflow_actors import InMemoryEventSink, LocalRuntime, RayRuntime, Settings
from tests.conformance.which_cross import IN_EVERY_RUN, MOST_OF_A_MODULE


def pytest_collection_modifyitems(items):
    """Leave the crossing of processes that is not for every run to the full counts."""
    crossing = {}
    for item in items:
        module = getattr(item, "module", None)
        if not item.get_closest_marker("ray") or not hasattr(item, "originalname"):
            continue
        name = getattr(module, "__name__", "").rpartition(".")[2]
        if not getattr(module, "__name__", "").startswith("tests.conformance."):
            continue
        chosen = IN_EVERY_RUN.get(name)
        seen = crossing.setdefault(name, set())
        is_another_case = item.originalname in seen
        is_chosen = chosen is None or item.originalname in chosen
        if is_another_case or not is_chosen or len(seen) >= MOST_OF_A_MODULE:
            item.add_marker(pytest.mark.stress)
        elif not item.get_closest_marker("stress"):
            seen.add(item.originalname)


@pytest.fixture
def sink():
    return InMemoryEventSink()


# In every run the stages share a process, which is started sooner; in the full counts each has its
# own, too. What differs between these two would be a defect as well.
HOSTS = {"ray": 1, "apart": Settings().max_hosts_per_deployment}
ON_RAY = [
    pytest.param("ray", marks=pytest.mark.ray),
    pytest.param("apart", marks=[pytest.mark.ray, pytest.mark.stress]),
]


@pytest.fixture(params=["local", *ON_RAY])
def runtime(request, sink):
    if request.param == "local":
        return LocalRuntime(event_sink=sink)
    request.getfixturevalue("ray_session")
    settings = Settings(max_hosts_per_deployment=HOSTS[request.param])
    return RayRuntime(event_sink=sink, settings=settings)


@pytest.fixture
def enough_s(runtime):
    """Time enough for a body to begin and do something: here, or in a process of its own."""
    return 0.3 if isinstance(runtime, LocalRuntime) else 1.0


@pytest.fixture
def run(runtime):
    """Deploys a pipeline, runs it once and returns the result."""

    async def run_once(pipeline, ctx=None, /, **parts):
        async with runtime.deploy(pipeline) as app:
            handle = await app.start(ctx, **parts)
            return await handle.result()

    return run_once
