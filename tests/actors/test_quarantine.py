"""Where suspects are tried: alone, one after the other, in processes that do nothing else."""

from __future__ import annotations

import time

import pytest

from stageflow_actors.actors.failures import failure_of, failure_to_wire
from stageflow_actors.actors.messages import Receipt
from stageflow_actors.actors.orders import Order
from stageflow_actors.actors.quarantine import Quarantine
from stageflow_actors.actors.ray_errors import CallFault, FaultKind

DIED = CallFault(FaultKind.DIED, "", "it died")


class Cell:
    """A process that does what the test says."""

    def __init__(self, watch):
        self.watch = watch
        self.outcome = self.ended_at = None
        self.why_ended = None
        self.torn_down = False
        self.order = None

    @property
    def is_ready(self):
        return self.ended_at is None and isinstance(self.outcome, int)

    async def teardown(self):
        self.torn_down = True

    def end(self, why, culprit=None):
        self.ended_at, self.why_ended = time.monotonic(), why

    def begin(self, outcome=1):
        """It is set up, or could not be."""
        self.outcome = outcome
        if not isinstance(outcome, int):
            self.ended_at = time.monotonic()
        self.watch.started(self)

    def execute(self, order):
        self.order = order

    def finish(self):
        now = time.time()
        self.order.deliver(Receipt("ok", now, now))

    def die(self, *, is_told_first):
        """``is_told_first``: that it died is known before its suspect has its receipt."""
        self.ended_at = time.monotonic()
        if is_told_first:
            self.watch.died(self, DIED)
        now = time.time()
        self.order.deliver(Receipt("lost", now, now))


class Scene:
    def __init__(self):
        self.cells, self.begun, self.receipts, self.dismissed = [], [], {}, []
        self.quarantine = Quarantine(self._hire, self.dismissed.append)

    def _hire(self, watch):
        self.cells.append(Cell(watch))
        return self.cells[-1]

    def admit(self, *runs):
        for run in runs:
            take = self.receipts.setdefault(run, []).append
            begun = lambda run=run: self.begun.append(run)  # noqa: E731
            self.quarantine.admit(Order((run, 0, 4), (), 0, False, take, begun))

    def endings(self):
        return {
            run: [receipt.ending for receipt in receipts]
            for run, receipts in self.receipts.items()
            if receipts
        }


@pytest.fixture
async def scene():
    return Scene()


async def test_there_is_no_process_before_there_is_a_suspect(scene):
    assert scene.cells == []
    scene.admit("a")
    assert (len(scene.cells), scene.begun) == (1, [])
    scene.cells[0].begin()
    assert scene.begun == ["a"]


async def test_suspects_are_tried_one_after_the_other_in_the_process_that_outlived_them(scene):
    scene.admit("a", "b")
    (cell,) = scene.cells
    cell.begin()
    scene.admit("c")
    for number, run in enumerate("abc", 1):
        assert scene.begun == list("abc")[:number]
        assert (cell.order.run, cell.ended_at) == (run, None)
        cell.finish()
    assert scene.endings() == {run: ["ok"] for run in "abc"}
    assert len(scene.cells) == 1


async def test_a_process_with_nothing_left_to_try_is_dismissed(scene):
    scene.admit("a")
    (cell,) = scene.cells
    cell.begin()
    cell.finish()
    assert scene.quarantine.process is None
    assert scene.dismissed == [cell]
    scene.admit("b")
    assert len(scene.cells) == 2


@pytest.mark.parametrize("is_told_first", [True, False])
async def test_a_suspect_that_kills_its_process_does_the_next_one_no_harm(scene, is_told_first):
    scene.admit("guilty", "innocent")
    scene.cells[0].begin()
    scene.cells[0].die(is_told_first=is_told_first)
    assert scene.begun == ["guilty"]
    assert len(scene.cells) == 2
    scene.cells[1].begin()
    scene.cells[1].finish()
    assert scene.endings() == {"guilty": ["lost"], "innocent": ["ok"]}


async def test_a_process_that_dies_before_anybody_was_sent_there_is_replaced(scene):
    scene.admit("a")
    scene.cells[0].outcome = 1
    scene.cells[0].ended_at = 1.0
    scene.cells[0].watch.died(scene.cells[0], DIED)
    assert (len(scene.cells), scene.begun) == (2, [])
    scene.cells[1].begin()
    assert scene.begun == ["a"]


async def test_a_process_whose_loop_does_not_turn_is_ended(scene):
    scene.admit("a")
    scene.cells[0].begin()
    scene.cells[0].watch.stuck(scene.cells[0])
    assert scene.cells[0].why_ended == "its event loop did not turn any more"


async def test_one_that_was_taken_back_is_never_tried(scene):
    scene.admit("a", "b")
    assert scene.quarantine.take_back(("a", 0, 4)).run == "a"
    assert scene.quarantine.take_back(("a", 0, 4)) is None
    scene.cells[0].begin()
    assert scene.begun == ["b"]
    assert scene.quarantine.take_back(("b", 0, 4)) is None  # it is being tried


async def test_a_process_for_nobody_is_dismissed_when_it_is_there(scene):
    scene.admit("a")
    scene.quarantine.take_back(("a", 0, 4))
    scene.cells[0].begin()
    assert scene.dismissed == scene.cells
    assert scene.begun == []


async def test_where_no_process_can_be_set_up_each_is_told_and_nobody_waits(scene):
    scene.admit("a", "b")
    why = failure_to_wire(failure_of(ConnectionError("no licence")))
    for number, run in enumerate("ab"):
        scene.cells[number].begin(why)
        (receipt,) = scene.receipts[run]
        assert receipt.reason == "no licence"
        assert receipt.ending == "fail"  # and not lost, which would tell against the suspect
    assert len(scene.cells) == 2


async def test_once_stopped_it_begins_nothing_and_hires_nobody(scene):
    scene.admit("a", "b")
    scene.cells[0].begin()
    scene.quarantine.stop()
    scene.cells[0].die(is_told_first=True)
    scene.admit("c")
    assert scene.begun == ["a"]
    assert len(scene.cells) == 1
