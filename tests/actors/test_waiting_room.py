"""Where runs wait for their turn: who begins when, and what becomes of those that do not."""

from __future__ import annotations

import asyncio

from stageflow_actors import Settings
from stageflow_actors.actors.waiting_room import WaitingRoom
from stageflow_actors.engine.admission import Refused


class Doorman:
    """A room, and the turns that it gave; each item is the name of its run."""

    def __init__(self, **settings):
        self.turns = []
        self.ended = asyncio.Event()
        self.room = WaitingRoom(Settings(**settings), self._begin)

    def _begin(self, turn):
        self.turns.append(turn)
        self.ended.set()

    def come(self, *runs, tenant="", size=1, is_background=False, limit_s=None):
        """What is said of the last of ``runs``."""
        for run in runs:
            said = self.room.arrive(
                run, run, tenant=tenant, size=size, is_background=is_background, limit_s=limit_s
            )
        return said

    @property
    def begun(self):
        return [turn.item for turn in self.turns]


async def test_runs_begin_at_once_while_there_is_room_and_the_others_in_order():
    door = Doorman(max_running_runs=2)
    door.come(*"abcde")
    assert door.begun == ["a", "b"]
    door.room.leave("b")
    door.room.leave("a")
    assert door.begun == ["a", "b", "c", "d"]
    assert [turn.cancelled for turn in door.turns] == [None] * 4


async def test_a_run_that_begins_at_once_has_not_waited_and_one_that_waited_says_how_long():
    door = Doorman(max_running_runs=1)
    door.come("a", "b")
    await asyncio.sleep(0.01)
    door.room.leave("a")
    first, second = door.turns
    assert first.waited_s == 0.0
    assert second.waited_s > 0.0


async def test_a_cancelled_run_begins_as_cancelled_and_takes_nobodys_turn():
    door = Doorman(max_running_runs=1)
    door.come("a", "b", "c")
    assert door.room.cancel("b", "enough")
    assert [(turn.item, turn.cancelled) for turn in door.turns] == [("a", None), ("b", "enough")]
    door.room.leave("b")
    assert door.begun == ["a", "b"]
    door.room.leave("a")
    assert door.begun == ["a", "b", "c"]
    assert not door.room.cancel("b", "again")
    assert not door.room.cancel("c", "it runs")
    assert not door.room.cancel("x", "nobody knows it")


async def test_a_run_whose_time_is_up_while_it_waits_begins_with_none_left():
    door = Doorman(max_running_runs=1)
    door.come("a")
    door.ended.clear()
    door.come("b", limit_s=0.01)
    await door.ended.wait()
    late = door.turns[-1]
    assert (late.item, late.cancelled) == ("b", None)
    assert late.waited_s >= 0.01
    assert door.room.describe()["waiting"] == 0


async def test_a_run_that_has_begun_is_not_begun_again_when_its_time_is_up():
    door = Doorman(max_running_runs=1)
    door.come("a")
    door.come("b", limit_s=0.01)
    door.room.leave("a")
    door.come("c", limit_s=60.0)
    door.room.cancel("c", "enough")
    await asyncio.sleep(0.03)
    assert door.begun == ["a", "b", "c"]


async def test_closing_cancels_all_that_wait_and_none_that_runs():
    door = Doorman(max_running_runs=1)
    door.come("a", "b", "c")
    door.room.close("closed")
    assert [(turn.item, turn.cancelled) for turn in door.turns] == [
        ("a", None),
        ("b", "closed"),
        ("c", "closed"),
    ]
    door.room.leave("a")
    assert len(door.turns) == 3


async def test_a_refused_run_never_begins_and_counts():
    door = Doorman(max_running_runs=1, max_waiting_runs=1, max_waiting_bytes=10)
    door.come("a")
    assert isinstance(door.come("large", size=11), Refused)
    assert door.come("b", size=10) is None
    assert isinstance(door.come("c"), Refused)
    assert door.room.describe() == {
        "running": 1,
        "waiting": 1,
        "waiting_bytes": 10,
        "refused": 2,
    }
    door.room.leave("a")
    door.room.leave("b")
    assert door.begun == ["a", "b"]


async def test_a_room_is_free_only_while_whoever_comes_begins_at_once():
    door = Doorman(max_running_runs=2)
    assert door.room.is_free
    door.come("a")
    assert door.room.is_free
    door.come("b")
    assert not door.room.is_free
    door.room.leave("a")
    assert door.room.is_free
    assert not Doorman(max_running_runs_per_tenant=1).room.is_free


async def test_a_tenant_at_its_limit_waits_while_others_begin():
    door = Doorman(max_running_runs=3, max_running_runs_per_tenant=1)
    door.come("a1", "a2", tenant="a")
    door.come("b1", tenant="b")
    assert door.begun == ["a1", "b1"]
    door.room.leave("b1")
    assert door.begun == ["a1", "b1"]
    door.room.leave("a1")
    assert door.begun == ["a1", "b1", "a2"]
