"""How the pieces of a run are read for a streamed answer."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from uuid import UUID

import pytest

from stageflow_actors.model.streaming import Audience
from stageflow_actors.serving.bodies import RunBody
from stageflow_actors.serving.callers import Caller
from stageflow_actors.serving.desk import RUNNING, Entries, Entry, RunOrder, Shown
from stageflow_actors.serving.faults import Fault, ProblemError
from stageflow_actors.serving.openai.following import Following

RUN = UUID(int=7)
ORDER = RunOrder(Caller("t"), RunBody())


def piece(seq, text, audience=Audience.USER):
    document = json.dumps({"piece": seq, "data": text}).encode()
    return Entry(seq, "stream.token", document, audience)


class NotedDesk:
    """Has the batches of entries that it is given; notes what it is asked."""

    def __init__(self, *batches):
        self._batches = list(batches)
        self.readings = []
        self.left = []
        self.cancelled = []

    async def run(self, order, wait_s):
        assert wait_s == 0
        return Shown(RUN, RUNNING, b"{}")

    async def read(self, reading):
        assert self._batches, "it is over"
        self.readings.append(reading)
        batch = self._batches.pop(0)
        return Entries(tuple(batch), reading.after + len(batch), 0, not self._batches)

    async def cancel(self, run_id, tenant):
        self.cancelled.append((run_id, tenant))
        raise ProblemError(Fault.RUN_ENDED)

    async def leave(self, run_id, reader):
        self.left.append((run_id, reader))


async def following(desk, *, cancels=True):
    run = Following(desk, ORDER, wait_s=0.0, cancels=cancels)
    assert await run.start() == RUN
    return run


async def all_of(desk):
    return [each async for each in (await following(desk)).pieces()]


async def test_one_reader_paces_the_run_and_reads_on_when_it_has_passed_on_what_it_had():
    desk = NotedDesk([piece(1, "a"), piece(2, "b")], [], [piece(3, "c")])
    run = await following(desk)
    asked = [(each, len(desk.readings)) async for each in run.pieces()]
    assert asked == [("a", 1), ("b", 1), (None, 2), ("c", 3)]
    assert [each.after for each in desk.readings] == [0, 2, 2]
    (reader,) = {each.reader for each in desk.readings}
    assert reader is not None
    assert desk.left == [(str(RUN), reader)]
    assert desk.cancelled == []


async def test_pieces_for_others_are_not_given():
    batch = [piece(1, "a"), piece(2, "secret", Audience.INTERNAL), piece(3, "b")]
    assert await all_of(NotedDesk(batch)) == ["a", "b"]


async def test_a_hole_before_the_first_piece_leaves_the_answer_to_the_output():
    assert await all_of(NotedDesk([piece(3, "a"), piece(4, "b")])) == []


async def test_a_hole_after_a_piece_is_an_error():
    desk = NotedDesk([piece(1, "a"), piece(3, "c")])
    run = await following(desk)
    async with aclosing(run.pieces()) as pieces:
        assert await anext(pieces) == "a"
        with pytest.raises(ProblemError) as lost:
            await anext(pieces)
    assert lost.value.fault is Fault.CURSOR_GONE
    assert desk.left


@pytest.mark.parametrize(("cancels", "cancelled"), [(True, [(str(RUN), "t")]), (False, [])])
async def test_who_leaves_early_is_gone_and_cancels_the_run_if_it_should(cancels, cancelled):
    desk = NotedDesk([piece(1, "a")], [piece(2, "b")])
    run = await following(desk, cancels=cancels)
    async with aclosing(run.pieces()) as pieces:
        await anext(pieces)
    assert len(desk.left) == 1
    assert desk.cancelled == cancelled


class SlowDesk(NotedDesk):
    """Starts a run when it is let."""

    def __init__(self):
        super().__init__()
        self.asked = asyncio.Event()
        self.let = asyncio.Event()

    async def run(self, order, wait_s):
        self.asked.set()
        await self.let.wait()
        return await super().run(order, wait_s)


@pytest.mark.parametrize(("cancels", "cancelled"), [(True, [(str(RUN), "t")]), (False, [])])
async def test_who_leaves_while_the_run_is_started_cancels_it_too(cancels, cancelled):
    desk = SlowDesk()
    starting = asyncio.create_task(following(desk, cancels=cancels))
    await desk.asked.wait()
    starting.cancel()
    desk.let.set()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert desk.cancelled == cancelled


async def test_events_that_are_no_pieces_do_not_keep_a_client_from_hearing_that_it_goes_on():
    event = Entry(1, "stage.s.started", b"{}")
    run = await following(NotedDesk([event], [event], [piece(1, "a")]))
    assert [each async for each in run.pieces()] == [None, None, "a"]
