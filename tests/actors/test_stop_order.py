"""Stages stop in the order in which they were used: whoever reads from one stops before it."""

from __future__ import annotations

import asyncio

import pytest

from stageflow_actors import LocalRuntime, Pipeline, RayRuntime, Settings
from stageflow_actors.actors.stopping import stop_in_order
from tests.actors.closing_stages import Closing
from tests.conformance.crossing import Journal
from tests.engine.graphs import plan_of

DIAMOND = {"source": "", "left": "source", "right": "source", "sink": "left right"}
LONG_S = 600.0
FEW_HOSTS = Settings(max_hosts_per_deployment=2)  # some of a chain live together, and some do not


class Stopping:
    """Stops stages, each once the test lets it; ``begun`` and ``done`` are in the order of that."""

    def __init__(self, graph, *, hangs=(), raises=()):
        self.stages = plan_of(graph).stages
        self.begun, self.done = [], []
        self.cancelled = []
        self.hangs, self.raises = hangs, raises

    async def stop(self, index):
        name = self.stages[index].name
        self.begun.append(name)
        await asyncio.sleep(0)
        if name in self.hangs:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled.append(name)
                raise
        self.done.append(name)
        if name in self.raises:
            raise ConnectionError(name)

    async def all(self, limit_s):
        return await stop_in_order(self.stages, self.stop, limit_s)


async def test_nobody_stops_before_its_last_reader_has():
    stopping = Stopping(DIAMOND)
    assert await stopping.all(LONG_S) == 0
    assert stopping.done[0] == "sink"
    assert set(stopping.done[1:3]) == {"left", "right"}
    assert stopping.done[3] == "source"


async def test_those_that_read_nothing_of_each_other_stop_at_once():
    stopping = Stopping({"a": "", "b": "", "c": ""}, hangs=("c",))
    assert await stopping.all(0.05) == 1
    assert set(stopping.done) == {"a", "b"}


async def test_a_stop_that_fails_holds_nobody_up():
    stopping = Stopping(DIAMOND, raises=("right",))
    assert await stopping.all(LONG_S) == 0
    assert set(stopping.done) == set(DIAMOND)


async def test_one_that_does_not_stop_costs_the_others_half_the_time_and_not_their_turn():
    stopping = Stopping({"a": "", "b": "a", "c": "b"}, hangs=("c",))
    assert await stopping.all(0.2) == 1
    assert stopping.begun[0] == "c"
    assert set(stopping.done) == {"a", "b"}
    await asyncio.sleep(0)
    assert stopping.cancelled == ["c"]


async def test_of_no_stages_nothing_is_asked():
    assert await stop_in_order([], None, 0.0) == 0


# --- in deployments -------------------------------------------------------------------------------


@pytest.fixture(params=[LocalRuntime, pytest.param(RayRuntime, marks=pytest.mark.ray)])
def runtime_class(request):
    if request.param is RayRuntime:
        request.getfixturevalue("ray_session")
    return request.param


def chain(folder, hangs=None):
    pipeline, before = Pipeline(), ()
    for name in ("source", "middle", "sink"):
        config = {"folder": folder, "name": name, "hangs": name == hangs}
        pipeline = pipeline.with_stage(name, Closing, dependencies=before, config=config)
        before = name
    return pipeline


async def test_teardown_of_a_reader_comes_before_that_of_what_it_reads(runtime_class, tmp_path):
    async with runtime_class(settings=FEW_HOSTS).deploy(chain(tmp_path)):
        pass
    assert Journal(tmp_path).lines == ["sink", "middle", "source"]


async def test_a_teardown_that_hangs_does_not_keep_others_from_theirs(runtime_class, tmp_path):
    runtime = runtime_class(settings=FEW_HOSTS.model_copy(update={"stop_timeout_s": 1.0}))
    async with runtime.deploy(chain(tmp_path, hangs="sink")):
        pass
    lines = Journal(tmp_path).lines
    assert lines[0] == "sink hangs"
    assert set(lines[1:]) == {"middle", "source"}
