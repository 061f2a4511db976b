"""When a child pipeline is started, shared, kept warm, stopped, and started anew."""

from __future__ import annotations

import asyncio

import pytest

from stageflow_actors.actors.child_groups import ChildGroups
from tests.actors.desks import turns

LONG_S = 600.0


class Group:
    """Notes what becomes of it; ``gate`` holds its opening back, ``broken`` lets it fail."""

    def __init__(self, name, log, gate=None, broken=()):
        self.name, self.log, self.gate, self.broken = name, log, gate, broken
        self.is_lost = False

    async def open(self):
        self.log.append(f"open {self.name}")
        if self.gate is not None:
            await self.gate.wait()
        if "open" in self.broken:
            raise OSError("no model")

    async def close(self):
        self.log.append(f"close {self.name}")
        if "close" in self.broken:
            raise OSError("does not close")

    async def describe(self):
        if "describe" in self.broken:
            raise OSError("it died meanwhile")
        return {"pid": 7}


class Desk:
    """Groups with a log; ``options`` go to the next group that is made."""

    def __init__(self, idle_s=LONG_S, stop_s=LONG_S, **options):
        self.log, self.made, self.options = [], [], options
        self.groups = ChildGroups(self._make, idle_s, stop_s)

    def _make(self, name):
        self.made.append(Group(f"{name}{len(self.made) + 1}", self.log, **self.options))
        return self.made[-1]

    async def use(self, name="a"):
        async with self.groups.borrow(name) as group:
            return group.name


async def test_a_group_is_opened_once_and_stays_for_the_next_run():
    desk = Desk()
    assert [await desk.use() for _ in range(3)] == ["a1", "a1", "a1"]
    assert desk.log == ["open a1"]


async def test_runs_that_come_together_share_one_opening():
    gate = asyncio.Event()
    desk = Desk(gate=gate)
    runs = [asyncio.ensure_future(desk.use()) for _ in range(5)]
    await turns()
    gate.set()
    assert await asyncio.gather(*runs) == ["a1"] * 5
    assert desk.log == ["open a1"]


async def test_every_name_has_a_group_of_its_own():
    desk = Desk()
    assert [await desk.use("a"), await desk.use("b")] == ["a1", "b2"]
    assert [group.name for group in desk.groups.groups()] == ["a1", "b2"]


async def test_one_that_is_idle_for_long_enough_is_stopped_and_started_anew():
    desk = Desk(idle_s=0.001)
    await desk.use()
    while "close a1" not in desk.log:
        await asyncio.sleep(0.001)
    assert desk.groups.groups() == []
    assert await desk.use() == "a2"


async def test_one_that_is_used_is_not_idle_however_long_that_takes():
    desk = Desk(idle_s=0.001)
    await desk.use()
    async with desk.groups.borrow("a"):
        async with desk.groups.borrow("a"):
            pass  # one of two has ended
        await asyncio.sleep(0.02)
        assert desk.log == ["open a1"]
    await asyncio.sleep(0.02)
    assert desk.log == ["open a1", "close a1"]


async def test_what_opening_raises_is_raised_for_all_and_the_next_run_tries_again():
    gate = asyncio.Event()
    desk = Desk(gate=gate, broken={"open"})
    runs = [asyncio.ensure_future(desk.use()) for _ in range(3)]
    await turns()
    gate.set()
    ends = await asyncio.gather(*runs, return_exceptions=True)
    assert [type(end) for end in ends] == [OSError] * 3
    desk.options = {}
    assert await desk.use() == "a2"
    await turns()
    assert sorted(desk.log) == ["close a1", "open a1", "open a2"]


async def test_one_that_is_lost_is_replaced_by_the_next_run_and_closed():
    desk = Desk()
    async with desk.groups.borrow("a") as group:
        group.is_lost = True
        assert await desk.use() == "a2"
    await turns()
    assert await desk.use() == "a2"
    assert sorted(desk.log) == ["close a1", "open a1", "open a2"]


async def test_one_that_is_lost_while_it_is_used_is_closed_when_it_comes_back():
    desk = Desk()
    async with desk.groups.borrow("a") as group:
        group.is_lost = True
    await turns()
    assert desk.log == ["open a1", "close a1"]
    assert desk.groups.groups() == []


async def test_who_is_cancelled_while_it_is_opened_leaves_it_to_the_others():
    gate = asyncio.Event()
    desk = Desk(gate=gate)
    first, second = (asyncio.ensure_future(desk.use()) for _ in range(2))
    await turns()
    first.cancel()
    await turns()
    assert first.cancelled()
    gate.set()
    assert await second == "a1"
    assert desk.log == ["open a1"]


async def test_one_that_nobody_waits_for_any_more_is_stopped_once_it_is_up():
    gate = asyncio.Event()
    desk = Desk(idle_s=0.001, gate=gate)
    run = asyncio.ensure_future(desk.use())
    await turns()
    run.cancel()
    await asyncio.sleep(0.02)
    assert desk.log == ["open a1"]
    gate.set()
    await asyncio.sleep(0.02)
    assert desk.log == ["open a1", "close a1"]


async def test_closing_stops_all_and_waits_for_that():
    desk = Desk()
    await desk.use("a")
    await desk.use("b")
    await desk.groups.close()
    assert sorted(desk.log[2:]) == ["close a1", "close b2"]
    assert desk.groups.groups() == []
    await desk.groups.close()
    assert len(desk.log) == 4


async def test_closing_waits_for_one_that_is_being_stopped_already():
    desk = Desk()
    async with desk.groups.borrow("a") as group:
        group.is_lost = True
    assert desk.log == ["open a1"]
    await desk.groups.close()
    assert desk.log == ["open a1", "close a1"]


async def test_one_that_does_not_close_keeps_no_other_from_it(caplog):
    desk = Desk(broken={"close"})
    await desk.use("a")
    await desk.use("b")
    await desk.groups.close()
    assert sorted(desk.log[2:]) == ["close a1", "close b2"]
    assert "did not close" in caplog.text


async def test_an_error_of_the_run_gives_the_group_back():
    desk = Desk(idle_s=0.001)
    with pytest.raises(LookupError):
        async with desk.groups.borrow("a"):
            raise LookupError("of the run")
    await asyncio.sleep(0.02)
    assert desk.log == ["open a1", "close a1"]


async def test_each_is_described_and_one_that_is_opening_or_dying_by_its_name_only():
    desk = Desk()
    await desk.use("up")
    desk.options = {"broken": {"describe"}}
    await desk.use("dying")
    desk.options = {"gate": asyncio.Event()}
    run = asyncio.ensure_future(desk.use("opening"))
    await turns()
    assert await desk.groups.describe() == [
        {"pipeline": "up", "pid": 7},
        {"pipeline": "dying"},
        {"pipeline": "opening"},
    ]
    run.cancel()
    desk.options["gate"].set()
    await desk.groups.close()


async def test_one_that_is_never_open_does_not_keep_the_others_from_being_closed():
    desk = Desk(stop_s=0.001, gate=asyncio.Event())
    waiting = asyncio.ensure_future(desk.use())
    await turns()
    await desk.groups.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert desk.log == ["open a1", "close a1"]
