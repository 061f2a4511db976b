"""``FanOutEventSink`` and ``FilteringEventSink``: who gets an event, and who does not."""

from __future__ import annotations

import asyncio

import pytest

from stageflow_actors import InMemoryEventSink, LocalRuntime, NoOpEventSink, Pipeline, StageKind
from stageflow_actors.adapters.routing import (
    BranchStatistics,
    FanOutEventSink,
    FilteringEventSink,
)
from tests.adapters.doubles import GatedSink, RaisingSink
from tests.conformance.stages import ok

TYPES = ["pipeline.created", "stage.a.started", "stage.a.completed", "Stage.a", "stage"]


def types(keeper):
    return [event.type for event in keeper.events]


async def emit_all(sink):
    for type_ in TYPES:
        await sink.emit(type=type_, data={})
        sink.try_emit(type=type_, data={})


def counts(sink):
    return [(branch.delivered, branch.failed) for branch in sink.statistics]


class CountsItsAccepting(InMemoryEventSink):
    """Wants starts only, and relies on being asked."""

    def accepts(self, type):
        return type.endswith("started")


# --- fan-out --------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [OSError("full"), asyncio.CancelledError()])
async def test_failing_sink_keeps_no_other_from_an_event(error, caplog):
    before, after = InMemoryEventSink(), InMemoryEventSink()
    sink = FanOutEventSink(before, RaisingSink(error), after)
    await sink.emit(type="a", data={"n": 1})
    await sink.emit(type="b", data={"n": 2})
    assert types(before) == types(after) == ["a", "b"]
    assert sink.statistics == (
        BranchStatistics("InMemoryEventSink", 2, 0),
        BranchStatistics("RaisingSink", 0, 2),
        BranchStatistics("InMemoryEventSink", 2, 0),
    )
    [warning] = [record for record in caplog.records if "RaisingSink" in record.getMessage()]
    assert warning.exc_info[1] is error


def test_sink_that_fails_without_waiting_keeps_no_other_from_an_event():
    keeper = InMemoryEventSink()
    sink = FanOutEventSink(RaisingSink(), keeper)
    sink.try_emit(type="a", data=None)
    assert types(keeper) == ["a"]
    assert counts(sink) == [(0, 1), (1, 0)]


async def test_slow_sink_keeps_no_other_from_an_event():
    slow, keeper = GatedSink(), InMemoryEventSink()
    sink = FanOutEventSink(slow, keeper)
    emitted = asyncio.ensure_future(sink.emit(type="a", data=None))
    await asyncio.to_thread(slow.has_one.wait)
    await asyncio.sleep(0)
    assert types(keeper) == ["a"]
    assert not emitted.done()  # done when all are: what is acknowledged has been stored
    slow.open()
    await emitted
    assert counts(sink) == [(1, 0), (1, 0)]


async def test_cancelled_emit_ends_and_is_counted():
    class Endless(InMemoryEventSink):
        async def emit(self, *, type, data):
            await asyncio.Event().wait()

    sink = FanOutEventSink(Endless(), InMemoryEventSink())
    emitted = asyncio.ensure_future(sink.emit(type="a", data=None))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    emitted.cancel()
    with pytest.raises(asyncio.CancelledError):
        await emitted
    assert counts(sink) == [(0, 1), (1, 0)]


async def test_each_sink_gets_data_of_its_own():
    class Scrubber(InMemoryEventSink):
        async def emit(self, *, type, data):
            data.clear()

    keeper = InMemoryEventSink()
    given = {"user_id": "u"}
    await FanOutEventSink(Scrubber(), keeper).emit(type="a", data=given)
    assert keeper.events[0].data == given == {"user_id": "u"}


async def test_sink_gets_only_what_it_accepts_though_another_accepts_more():
    picky, keeper = CountsItsAccepting(), InMemoryEventSink()
    sink = FanOutEventSink(picky, keeper)
    assert sink.accepts("pipeline.created")
    await emit_all(sink)
    assert types(picky) == ["stage.a.started"] * 2
    assert len(types(keeper)) == 10
    assert counts(sink) == [(2, 0), (10, 0)]


def test_fan_out_accepts_what_any_of_its_sinks_accepts():
    assert not FanOutEventSink().accepts("a")
    assert not FanOutEventSink(NoOpEventSink(), CountsItsAccepting()).accepts("a")
    assert FanOutEventSink(NoOpEventSink(), CountsItsAccepting()).accepts("started")


async def test_sink_that_cannot_say_what_it_accepts_keeps_no_other_from_an_event():
    class Unsure(InMemoryEventSink):
        def accepts(self, type):
            raise ValueError("unsure")

    unsure, keeper = Unsure(), InMemoryEventSink()
    sink = FanOutEventSink(unsure, keeper)
    assert sink.accepts("a")
    await sink.emit(type="a", data=None)
    assert types(unsure) == types(keeper) == ["a"]


# --- filter ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, TYPES),
        ({"include": "stage.*"}, ["stage.a.started", "stage.a.completed"]),
        ({"include": ["pipeline.*", "stage"]}, ["pipeline.created", "stage"]),
        ({"include": iter(["*.created", "stage"])}, ["pipeline.created", "stage"]),
        ({"include": []}, []),
        ({"exclude": []}, TYPES),
        ({"exclude": "*.?.*"}, ["pipeline.created", "Stage.a", "stage"]),
        ({"include": "stage.*", "exclude": "*.started"}, ["stage.a.completed"]),
        ({"include": lambda type_: type_ == "stage"}, ["stage"]),
        ({"exclude": str.islower}, ["Stage.a"]),
    ],
)
async def test_filter_passes_on_what_is_included_and_not_excluded(options, expected):
    keeper = InMemoryEventSink()
    sink = FilteringEventSink(keeper, **options)
    await emit_all(sink)
    assert types(keeper) == [type_ for type_ in expected for _twice in range(2)]
    assert [type_ for type_ in TYPES if sink.accepts(type_)] == expected


async def test_filter_passes_on_only_what_its_sink_accepts():
    picky = CountsItsAccepting()
    await emit_all(FilteringEventSink(picky))
    assert types(picky) == ["stage.a.started"] * 2


async def test_nothing_is_prepared_for_what_a_filter_keeps_back():
    keeper = InMemoryEventSink()
    sink = FanOutEventSink(NoOpEventSink(), FilteringEventSink(keeper, include="stage.*"))
    async with LocalRuntime(event_sink=sink) as runtime:
        await Pipeline().with_stage("a", ok, StageKind.WORK).run(runtime=runtime)
    assert types(keeper) == ["stage.a.started", "stage.a.completed"]
    assert runtime.event_statistics().submitted == 2


async def test_choice_that_raises_fails_no_run_and_is_counted():
    def choose(type_):
        raise ValueError("cannot choose")

    keeper = InMemoryEventSink()
    sink = FilteringEventSink(keeper, include=choose)
    async with LocalRuntime(event_sink=sink) as runtime:
        results = await Pipeline().with_stage("a", ok, StageKind.WORK).run(runtime=runtime)
    assert results["a"].ok
    assert runtime.event_statistics().failed == 5
