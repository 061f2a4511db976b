"""A cost that is not seen looks like none."""

from __future__ import annotations

import asyncio

import pytest

from tests.benchmarks.costs import Cost, mean_of
from tests.benchmarks.telemetry import _program

_MANY_BYTES = 300 * 2**20
_MORE_THAN_RAY_HAS_AT_HAND = 12


async def test_the_mean_of_some_bursts_has_the_one_that_took_long():
    each = iter([Cost(1.0, 3.0), Cost(1.0, 3.0), Cost(4.0, 6.0)])

    async def probe() -> Cost:
        return next(each)

    assert await mean_of(probe)() == Cost(2.0, 4.0)


@pytest.mark.ray
async def test_processes_that_were_forked_for_ray_are_counted(ray_session):
    from tests.benchmarks.bare_ray import start_stages
    from tests.benchmarks.processes import pids_of_all

    actors = start_stages(_MORE_THAN_RAY_HAS_AT_HAND)
    pids = await asyncio.gather(*(actor.pid.remote() for actor in actors))

    assert set(pids) <= pids_of_all()


async def test_the_memory_of_a_program_is_its_own_and_not_that_of_who_started_it():
    held = b"x" * _MANY_BYTES
    async with _program({}) as program:
        told_mib = await program.ask("memory")()

    assert 0 < told_mib * 2**20 < len(held)
