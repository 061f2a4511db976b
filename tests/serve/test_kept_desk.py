"""What a replica finds while the keepers of two versions stand side by side."""

from __future__ import annotations

import asyncio
import json

import pytest

from stageflow_actors.serving.faults import Fault, ProblemError
from stageflow_actors.serving.tape import ENDED
from tests.serve.fake_keepers import handed_on, state_of
from tests.serving.desks import TENANT, order, reading, rest

# --- a keeper goes while its replica is there -----------------------------------------------------


async def retiring(world):
    """An old replica, its keeper, which counts it as lost and goes, and that of the next version.

    The replica hears of it when it asks for a run more.
    """
    replica = await world.replica("old")
    old, new = world.keepers[replica._place], await world.keeper("new")
    return replica, old, new


async def noticed(world, replica, old):
    """A run that the old keeper does not take; it is waiting for the next one."""
    old.is_retiring = True
    old.desk.behind._is_taking = False
    old.joined.clear()
    asking = asyncio.ensure_future(replica.run(order(), None))
    await old.joined.wait()
    return asking


def told(found):
    return [(each.number, each.type) for each in found.entries]


async def test_a_stream_goes_on_while_its_keeper_goes_and_after_it(world):
    replica, old, new = await retiring(world)
    shown = await replica.run(order("waits", is_watched=True), 0.0)
    while not world.gate.executions:
        await asyncio.sleep(0)
    seen, found = [], await replica.read(reading(shown, wait_s=30.0))
    while found.entries:
        seen += told(found)
        found = await replica.read(reading(shown, found.after))
    waiting = asyncio.ensure_future(replica.read(reading(shown, found.after, wait_s=30.0)))
    asking = await noticed(world, replica, old)
    assert told(await replica.read(reading(shown))) == seen
    world.gate.opened.set()
    found = await waiting
    await handed_on(world, old, new)
    seen += [*told(found), *await rest(replica, shown, found.after)]
    assert [number for number, _type in seen] == [*range(1, len(seen) + 1)]
    assert seen[-1][1] == ENDED
    assert await rest(replica, shown) == seen
    assert state_of(await asking) == "ok"


async def test_who_waits_for_a_run_of_a_keeper_that_goes_is_answered(world):
    replica, old, new = await retiring(world)
    waiting = asyncio.ensure_future(replica.run(order("waits"), None))
    while not world.gate.executions:
        await asyncio.sleep(0)
    asking = await noticed(world, replica, old)
    world.gate.opened.set()
    shown = await waiting
    assert state_of(shown) == "ok"
    await handed_on(world, old, new)
    assert await replica.look(str(shown.run_id), TENANT) == shown
    await asking


async def test_what_a_keeper_does_not_take_because_it_goes_the_next_one_takes(world):
    replica, old, new = await retiring(world)
    asking = await noticed(world, replica, old)
    await handed_on(world, old, new)
    assert state_of(await asking) == "ok"
    assert len(world.gate.executions) == 1
    assert replica.is_ready


async def test_a_run_is_cancelled_while_its_keeper_goes(world):
    replica, old, new = await retiring(world)
    shown = await replica.run(order("waits"), 0.0)
    asking = await noticed(world, replica, old)
    assert json.loads((await replica.cancel(str(shown.run_id), TENANT)).document)["cancelling"]
    await handed_on(world, old, new)
    assert state_of(await replica.look(str(shown.run_id), TENANT)) == "cancelled"
    with pytest.raises(ProblemError) as ended:
        await replica.cancel(str(shown.run_id), TENANT)
    assert ended.value.fault is Fault.RUN_ENDED
    await asking


# --- a run that moves while it is looked for ------------------------------------------------------


async def moving(world):
    """A run that has ended at the old keeper, and a replica of the new version."""
    before = await world.replica("old")
    shown = await before.run(order(), None)
    after = await world.replica("new")
    return before, after, shown


@pytest.mark.parametrize("ask", ["look", "read", "cancel"])
async def test_a_run_that_is_handed_over_while_it_is_looked_for_is_found(world, ask):
    """It comes to the own keeper after that was asked, and its old one is gone when others are."""
    before, after, shown = await moving(world)
    old, new = (world.keepers[each._place] for each in (before, after))

    async def hand_on():
        world.before_look = None
        await handed_on(world, old, new)

    world.before_look = hand_on
    if ask == "look":
        assert await after.look(str(shown.run_id), TENANT) == shown
    elif ask == "read":
        assert (await rest(after, shown))[-1][1] == ENDED
    else:
        with pytest.raises(ProblemError) as ended:
            await after.cancel(str(shown.run_id), TENANT)
        assert ended.value.fault is Fault.RUN_ENDED
    assert world.before_look is None


async def test_a_run_is_found_at_a_keeper_that_nobody_knew_when_its_own_died(world, monkeypatch):
    """What is known may be old, but not older than the loss."""
    before, after, shown = await moving(world)
    monkeypatch.setattr("stageflow_actors.serving.replicas.neighbours.KNOWN_S", 3600.0)
    third = await world.keeper("third")
    await handed_on(world, world.keepers[before._place], third)
    assert await after.look(str(shown.run_id), TENANT) == shown


async def test_who_asks_while_others_are_looked_for_waits_for_them_too(world, monkeypatch):
    neighbours = (await world.replica("new"))._neighbours
    old = await world.keeper("old")
    monkeypatch.setattr("stageflow_actors.serving.replicas.neighbours.KNOWN_S", 3600.0)
    neighbours.miss()  # what it knew of others is too old
    may, looking = asyncio.Event(), asyncio.Event()

    async def wait():
        looking.set()
        await may.wait()

    world.before_look = wait
    first = asyncio.ensure_future(neighbours.lines())
    await looking.wait()
    second = asyncio.ensure_future(neighbours.lines())
    await asyncio.sleep(0)
    may.set()
    for asked in (first, second):
        assert [line.place for line in await asked] == [old.place]


async def test_a_run_that_nobody_has_is_unknown_whatever_has_died(world):
    before, after, shown = await moving(world)
    world.end(world.keepers[before._place])
    assert await after.look(str(shown.run_id), TENANT) is None


async def test_a_keeper_that_is_not_up_yet_has_no_runs(world):
    replica = await world.replica("old")
    shown = await replica.run(order(), None)
    new = await world.keeper("new")
    new.desk.behind, behind = None, new.desk.behind
    assert await replica.look("00000000-0000-7000-8000-000000000000", TENANT) is None
    assert await replica.read(reading(shown)) is not None
    assert await replica.run(order(key="k"), None) == await replica.run(order(key="k"), None)
    new.desk.behind = behind


async def test_a_run_is_found_by_a_replica_whose_idle_keeper_has_handed_it_on(world, monkeypatch):
    replica = await world.replica("old")
    monkeypatch.setattr("stageflow_actors.serving.replicas.neighbours.KNOWN_S", 3600.0)
    shown = await replica.run(order(), None)
    old = world.keepers[replica._place]
    await handed_on(world, old, await world.keeper("new"))
    while replica.is_ready:
        await asyncio.sleep(0)
    assert await replica.look(str(shown.run_id), TENANT) == shown
