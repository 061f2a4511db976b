"""One key is one run, whichever of two versions that stand side by side is asked."""

from __future__ import annotations

import asyncio

import pytest

from stageflow_actors.serving.faults import Fault, ProblemError
from tests.serve.fake_keepers import handed_on, state_of
from tests.serving.desks import TENANT, order


async def both(world):
    return await world.replica("old"), await world.replica("new")


@pytest.mark.parametrize("first", [0, 1], ids=["old", "new"])
@pytest.mark.parametrize("wait_s", [None, 0.0], ids=["ended", "running"])
async def test_a_key_is_one_run_whichever_version_is_asked_first(world, first, wait_s):
    replicas = await both(world)
    text = "quick" if wait_s is None else "waits"
    shown = await replicas[first].run(order(text, key="k"), wait_s)
    again = [await each.run(order(text, key="k"), wait_s) for each in (*replicas, *replicas)]
    assert {each.run_id for each in again} == {shown.run_id}
    world.gate.opened.set()
    ended = [await each.run(order(text, key="k"), None) for each in replicas]
    assert len({each.document for each in ended}) == 1
    assert len(world.gate.executions) == 1


async def test_a_key_that_both_versions_are_asked_for_at_once_is_one_run(world):
    replicas = await both(world)
    for number in range(5):
        wanted = order(key=f"k-{number}")
        told = await asyncio.gather(*(each.run(wanted, None) for each in (*replicas, *replicas)))
        assert len({each.run_id for each in told}) == 1
    assert len(world.gate.executions) == 5


async def test_a_key_stands_for_its_run_when_its_keeper_has_gone(world):
    before, after = await both(world)
    old, new = (world.keepers[each._place] for each in (before, after))
    shown = await before.run(order(key="k"), None)
    there = await after.run(order(key="l"), None)
    await handed_on(world, old, new)
    assert await after.run(order(key="k"), None) == shown
    assert await after.run(order(key="l"), None) == there
    assert len(world.gate.executions) == 2


async def test_who_waits_with_a_key_for_a_run_of_another_version_gets_it_when_that_goes(world):
    before, after = await both(world)
    old, new = (world.keepers[each._place] for each in (before, after))
    shown = await before.run(order("waits", key="k"), 0.0)
    waiting = asyncio.ensure_future(after.run(order("waits", key="k"), None))
    draining = asyncio.ensure_future(old.drain())
    while not old.is_retiring:
        await asyncio.sleep(0)
    fresh = await after.run(order(key="fresh"), None)  # the oldest still says where
    world.gate.opened.set()
    await draining
    await old.bequeath(new)
    world.end(old)
    assert (await waiting).run_id == shown.run_id
    assert state_of(fresh) == "ok"
    assert len(world.gate.executions) == 2


async def test_of_three_versions_the_next_oldest_knows_where_keys_are(world):
    first, second, third = [await world.replica(each) for each in ("b", "c", "a")]
    shown = await third.run(order("waits", key="k"), 0.0)
    await handed_on(world, world.keepers[first._place], world.keepers[second._place])
    for each in (second, third):
        assert (await each.run(order("waits", key="k"), 0.0)).run_id == shown.run_id
    assert world.gate.executions in ([], ["waits"])


async def test_a_key_from_before_the_next_version_goes_on_to_stand_for_its_run(world):
    """The keeper of the next version is asked for nothing that an older one has."""
    before = await world.replica("b")
    shown = await before.run(order(key="k"), None)
    after = await world.replica("a")
    assert await after.run(order(key="k"), None) == shown
    for line in after._neighbours.known:
        line.lose()  # and is found anew
    assert await after.run(order(key="k"), None) == shown
    assert len(world.gate.executions) == 1


async def test_who_waits_with_a_key_at_a_keeper_that_dies_gets_what_that_has_handed_on(world):
    before, after = await both(world)
    old, new = (world.keepers[each._place] for each in (before, after))
    shown = await before.run(order(key="k"), None)
    await old.bequeath(new)
    old.desk.behind.run = forever = Forever()
    waiting = [asyncio.ensure_future(each.run(order(key="k"), None)) for each in (before, after)]
    while forever.waiting < 2:
        await asyncio.sleep(0)
    world.end(old)
    assert await asyncio.gather(*waiting) == [shown, shown]
    assert len(world.gate.executions) == 1


class Forever:
    """Never answers."""

    def __init__(self):
        self.waiting = 0

    async def __call__(self, _order, _wait_s):
        self.waiting += 1
        await asyncio.Event().wait()


@pytest.mark.parametrize("key", [None, "k"])
async def test_a_run_whose_keeper_died_with_it_is_not_started_anew(world, key):
    """It may have had its effects. Who knows that it does no harm asks again."""
    before, after = await both(world)
    asked = before if key is None else after
    old = world.keepers[before._place]
    await before.run(order("waits", key=key), 0.0)
    while not world.gate.executions:
        await asyncio.sleep(0)
    old.desk.behind.run = forever = Forever()
    waiting = asyncio.ensure_future(asked.run(order("waits", key=key), None))
    while not forever.waiting:
        await asyncio.sleep(0)
    world.end(old)
    with pytest.raises(ProblemError) as lost:
        await waiting
    assert lost.value.fault is Fault.UNAVAILABLE
    world.gate.opened.set()
    assert state_of(await asked.run(order("waits", key=key), None)) == "ok"
    assert len(world.gate.executions) == 2


@pytest.mark.parametrize("ends", ["died", "goes"])
async def test_a_key_whose_keeper_has_gone_without_its_run_is_free_again(world, ends):
    first, second, third = [await world.replica(each) for each in ("c", "b", "a")]
    going = world.keepers[second._place]
    oldest = world.keepers[first._place].desk
    name = (TENANT, "k")
    told = await oldest.settle(name, first._place, second._place, frozenset())
    assert told == going.place
    if ends == "died":
        world.end(going)
    else:
        going.desk.behind._is_taking = False
    shown = await third.run(order(key="k"), None)
    assert state_of(shown) == "ok"
    assert await first.run(order(key="k"), None) == shown


async def test_a_key_stands_for_one_request_at_both_versions(world):
    before, after = await both(world)
    await before.run(order(key="k"), None)
    with pytest.raises(ProblemError) as refused:
        await after.run(order("other", key="k"), None)
    assert refused.value.fault is Fault.KEY_REUSED
