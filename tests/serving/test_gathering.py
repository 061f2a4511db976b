"""What is told together to who watches a run, and what is told at once."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from uuid import uuid4

import pytest

from stageflow_actors.model.streaming import Audience, StreamPiece
from stageflow_actors.serving import ServingSettings
from stageflow_actors.serving.records import RunRecord
from stageflow_actors.serving.run_desk import RunDesk
from tests.serving.desks import Gate, Late, desk_of, order, reading, rest


async def test_events_wait_for_the_piece_that_follows_them_and_a_piece_for_nothing():
    gate = Gate()
    async with desk_of(gate, ServingSettings(event_delay_s=30.0)) as desk:
        shown = await desk.run(order("slow", is_watched=True), 0)
        first = await desk.read(reading(shown, wait_s=30.0))
        assert [each.type for each in first.entries] == [
            "pipeline.created",
            "pipeline.started",
            "stage.wait.started",
            "stream.token",
        ]
        gate.opened.set()
        rest = await desk.read(reading(shown, first.after, wait_s=30.0))
        assert rest.entries[0].type == "stream.token"


async def test_events_wait_no_longer_than_they_may():
    gate = Gate()
    async with desk_of(gate, ServingSettings(event_delay_s=0.0)) as desk:
        shown = await desk.run(order("slow", is_watched=True), 0)
        for_nobody = reading(shown, wait_s=30.0)._replace(audiences=frozenset())
        found = await desk.read(for_nobody)  # the stage waits, and no piece is shown
        assert found.entries[-1].type == "stage.wait.started"
        gate.opened.set()


async def test_who_has_no_time_to_wait_gets_what_there_is():
    gate = Gate()
    async with desk_of(gate, ServingSettings(event_delay_s=30.0)) as desk:
        shown = await desk.run(order("slow", is_watched=True), 0)
        async with asyncio.timeout(10.0):
            while not (await desk.read(reading(shown))).entries:
                await asyncio.sleep(0)
        gate.opened.set()


async def test_who_comes_while_the_events_of_an_ended_run_are_written_has_each_of_them_once():
    gate, may, settings = Gate(), asyncio.Event(), ServingSettings()
    async with desk_of(gate, settings) as behind:
        late = Late(behind._deployment, may)
        desk = RunDesk("gated", gate.pipeline(), late, settings)
        shown = await desk.run(order(), 0.0)
        await late.asked.wait()
        assert not (await desk.read(reading(shown))).entries
        may.set()
        types = [type_ for _number, type_ in await rest(desk, shown)]
    assert types.count("pipeline.started") == 1
    assert types[-1] == "run.ended"


class Unspeakable:
    """A deployment of runs whose events cannot be told."""

    def __init__(self, behind):
        self._behind = behind

    async def start(self, context):
        handle = await self._behind.start(context)

        async def events():
            raise ValueError("no words for it")
            yield

        return SimpleNamespace(
            run_id=handle.run_id, is_done=False, result=handle.result, stream=handle.stream,
            events=events,
        )  # fmt: skip


@pytest.mark.parametrize("is_watched", [True, False])
async def test_pieces_are_told_where_events_cannot_be(is_watched):
    gate, settings = Gate(), ServingSettings()
    async with desk_of(gate, settings) as behind:
        desk = RunDesk("gated", gate.pipeline(), Unspeakable(behind._deployment), settings)
        shown = await desk.run(order(is_watched=is_watched), None)
        types = [type_ for _number, type_ in await rest(desk, shown)]
    assert types == ["stream.token", "stream.token", "run.ended"]


class Flood:
    """The handle of a run whose pieces are all there at once."""

    pieces = 100

    async def events(self):
        return
        yield

    async def stream(self, _audience):
        for number in range(1, self.pieces + 1):
            yield StreamPiece(number, "flood", 1, Audience.USER, "word", 0.0)


async def test_who_waits_for_a_piece_has_it_before_all_others_are_written():
    record = RunRecord(uuid4(), "flooding", "acme", Flood(), ServingSettings())
    record.watch()
    async with asyncio.timeout(10.0):
        await record.news()
        assert 0 < len(record.tape) < Flood.pieces
        while len(record.tape) < Flood.pieces:
            await record.news()
