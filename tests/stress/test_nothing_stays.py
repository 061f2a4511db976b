"""After many runs every process has what it had before: objects, memory, and the object store."""

from __future__ import annotations

import asyncio
import gc
import logging

import pytest

from stageflow_actors import Pipeline, RayRuntime, RetryPolicy, Settings, StageKind
from tests.actors.watching import stored_bytes
from tests.conformance.stages import ok
from tests.stress.leftover_stages import BIG_BYTES, fails_now_and_then, makes_big_ones, reads

MIB = 2**20
MOST_GROWTH = 12 * MIB
AT_ONCE = 50


@pytest.fixture(autouse=True)
def unlogged():
    """What is logged stays: pytest keeps it to the end of a test."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def pipeline():
    retry = RetryPolicy(max_attempts=2, initial_delay_s=0.001)
    return (
        Pipeline("leftovers")
        .with_stage("first", ok, StageKind.WORK)
        .with_stage("make", makes_big_ones, StageKind.WORK, "first")
        .with_stage("read", reads, StageKind.WORK, "make")
        .with_stage("fail", fails_now_and_then, StageKind.WORK, "read", retry=retry)
    ).build(interceptors=[])  # no breaker


async def have_run(app, count):
    """How many of so many runs have ended, each once."""
    ended = set()
    async for index, _result in app.map(list(map(str, range(count))), concurrency=AT_ONCE):
        assert index not in ended
        ended.add(index)
    return len(ended)


def objects_here(_actor=None):
    """Those that the collector of garbage knows, once it has been through them."""
    gc.collect()
    return len(gc.get_objects())


async def objects_of(app, runtime):
    """In this process, and in that of the supervisor."""
    told = {"here": objects_here()}
    if isinstance(runtime, RayRuntime):
        told["supervisor"] = await app.supervisor.actor.__ray_call__.remote(objects_here)
    return told


async def memory_of(app, runtime):
    """Of every process that takes part, by pid."""
    if not isinstance(runtime, RayRuntime):
        return {}  # this process has all other tests in it
    from tests.serve.inside import resident_bytes

    told = await app.describe()
    pids = {told["supervisor_pid"], *(stage["pid"] for stage in told["stages"])}
    return {pid: resident_bytes(pid) for pid in pids}


async def test_after_many_runs_all_is_as_it_was_after_some(runtime, is_full):
    some, many = (4_000, 20_000) if is_full else (200, 400)
    assert Settings().max_inline_bytes < BIG_BYTES
    async with runtime.deploy(pipeline()) as app:
        _loaded = await objects_of(app, runtime), await memory_of(app, runtime)  # what asking loads
        assert await have_run(app, some) == some
        objects, memory = await objects_of(app, runtime), await memory_of(app, runtime)
        assert await have_run(app, many) == many
        assert (await app.describe())["live_runs"] == 0
        grown = {
            name: count - objects[name] for name, count in (await objects_of(app, runtime)).items()
        }
        assert all(count < many / 4 for count in grown.values()), grown  # not one for each run
        more = {pid: size - memory[pid] for pid, size in (await memory_of(app, runtime)).items()}
        assert all(size < MOST_GROWTH for size in more.values()), more
        async with asyncio.timeout(60.0):
            while stored_bytes() > MIB:
                await asyncio.sleep(0.1)
