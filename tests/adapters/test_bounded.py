"""``BackpressureAwareEventSink``: full, failing, stopped; every event is accounted for."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from stageflow_actors import InMemoryEventSink, LocalRuntime, Pipeline, RuntimeFault, StageKind
from stageflow_actors.adapters.bounded import BackpressureAwareEventSink
from stageflow_actors.adapters.event_queue import (
    BackpressureMetrics,
    EventQueue,
    QueuedEvent,
)
from tests.adapters.doubles import GatedSink, RaisingSink
from tests.conformance.stages import ok

WITHOUT_STOPPING = """
import time
from stageflow_actors import InMemoryEventSink
from stageflow_actors.adapters.bounded import BackpressureAwareEventSink

class Printing(InMemoryEventSink):
    async def emit(self, *, type, data):
        print(type, flush=True)

sink = BackpressureAwareEventSink(Printing())
for number in range(100):
    sink.try_emit(type=str(number), data=None)
"""


@pytest.fixture
def gated():
    sink = GatedSink()
    yield sink
    sink.open()


def fill(sink, count):
    return [sink.try_emit(type="t", data={"n": n}) for n in range(count)]


def numbers(keeper):
    return [event.data["n"] for event in keeper.events]


def assert_exact(sink, **expected):
    metrics = sink.metrics
    assert metrics == BackpressureMetrics(**expected)
    told = metrics.delivered + metrics.failed + metrics.dropped + metrics.waiting
    assert metrics.emitted == told


async def test_full_sink_drops_the_newest_and_says_so(gated):
    dropped = []
    sink = BackpressureAwareEventSink(gated, 3, lambda *event: dropped.append(event))
    assert fill(sink, 4) == [True, True, True, False]
    assert dropped == [("t", {"n": 3})]
    assert_exact(sink, emitted=4, dropped=1, waiting=3)
    assert sink.metrics.drop_rate == 25.0
    assert sink.metrics.to_dict()["drop_rate_percent"] == 25.0
    gated.open()
    assert await sink.stop(timeout_s=60)
    assert numbers(gated) == [0, 1, 2]
    assert_exact(sink, emitted=4, delivered=3, dropped=1)


def test_sink_without_events_has_dropped_none():
    assert BackpressureMetrics().drop_rate == 0.0


async def test_event_that_downstream_has_takes_up_room_until_it_is_done_with(gated):
    sink = BackpressureAwareEventSink(gated, 1)
    assert fill(sink, 1) == [True]
    await asyncio.to_thread(gated.has_one.wait)
    assert fill(sink, 1) == [False]
    gated.open()
    await sink.stop(timeout_s=60)


async def test_emit_waits_for_room_and_keeps_its_turn(gated):
    sink = BackpressureAwareEventSink(gated, 1)
    fill(sink, 1)
    emitted = [asyncio.ensure_future(sink.emit(type="t", data={"n": n})) for n in (1, 2)]
    await asyncio.sleep(0)
    assert not any(each.done() for each in emitted)
    assert_exact(sink, emitted=3, waiting=3)
    gated.open()
    await asyncio.gather(*emitted)
    await sink.stop(timeout_s=60)
    assert numbers(gated) == [0, 1, 2]
    assert_exact(sink, emitted=3, delivered=3)


async def test_caller_that_stops_waiting_for_room_drops_its_event(gated):
    dropped = []
    sink = BackpressureAwareEventSink(gated, 1, lambda _type, data: dropped.append(data))
    fill(sink, 1)
    emitted = asyncio.ensure_future(sink.emit(type="t", data={"n": "given up"}))
    await asyncio.sleep(0)
    emitted.cancel()
    with pytest.raises(asyncio.CancelledError):
        await emitted
    assert dropped == [{"n": "given up"}]
    assert_exact(sink, emitted=2, dropped=1, waiting=1)
    gated.open()
    await sink.stop(timeout_s=60)
    assert numbers(gated) == [0]


async def test_caller_cancelled_after_its_event_got_a_place_still_has_it_delivered():
    """Between the place being given and the caller waking up there is a moment."""
    gated = GatedSink()
    sink = BackpressureAwareEventSink(gated, 1)
    fill(sink, 1)
    emitted = asyncio.ensure_future(sink.emit(type="t", data={"n": 1}))
    await asyncio.sleep(0)
    gated.open()
    while sink.metrics.delivered < 2:  # this loop does not run meanwhile
        pass
    emitted.cancel()
    with pytest.raises(asyncio.CancelledError):
        await emitted
    await sink.stop(timeout_s=60)
    assert_exact(sink, emitted=2, delivered=2)


async def test_place_can_be_given_to_an_event_whose_caller_is_just_being_cancelled():
    queue = EventQueue(1)
    first, second = QueuedEvent("first", None), QueuedEvent("second", None)
    assert queue.put(first, may_wait=True)
    assert queue.put(second, may_wait=True)
    asyncio.wrap_future(second.accepted).cancel()
    await asyncio.sleep(0)
    assert await queue.take() is first
    queue.settle(is_delivered=True)
    assert await queue.take() is second


@pytest.mark.parametrize("error", [OSError("full"), asyncio.CancelledError(), SystemExit(1)])
async def test_failing_downstream_is_counted_and_never_escapes(error, caplog):
    sink = BackpressureAwareEventSink(RaisingSink(error))
    fill(sink, 3)
    await sink.emit(type="t", data={"n": 3})
    assert await sink.stop(timeout_s=60)
    assert_exact(sink, emitted=4, failed=4)
    [warning] = [record for record in caplog.records if "RaisingSink" in record.getMessage()]
    assert warning.exc_info[1] is error


async def test_on_drop_that_raises_harms_nobody(gated, caplog):
    def on_drop(type, data):
        raise ValueError("no")

    sink = BackpressureAwareEventSink(gated, 1, on_drop)
    assert fill(sink, 3) == [True, False, False]
    assert_exact(sink, emitted=3, dropped=2, waiting=1)
    assert any("on_drop" in record.getMessage() for record in caplog.records)


async def test_stop_delivers_what_is_queued(gated):
    sink = BackpressureAwareEventSink(gated)
    fill(sink, 100)
    stopping = asyncio.ensure_future(sink.stop(timeout_s=60))
    await asyncio.to_thread(gated.has_one.wait)
    gated.open()
    assert await stopping
    assert numbers(gated) == list(range(100))
    assert await sink.stop()  # again, to no effect


async def test_stop_serves_those_who_wait_for_room_too(gated):
    sink = BackpressureAwareEventSink(gated, 1)
    fill(sink, 1)
    emitted = [asyncio.ensure_future(sink.emit(type="t", data={"n": n})) for n in (1, 2)]
    await asyncio.sleep(0)
    stopping = asyncio.ensure_future(sink.stop(timeout_s=60))
    await asyncio.sleep(0)
    gated.open()
    assert await stopping
    await asyncio.gather(*emitted)
    assert numbers(gated) == [0, 1, 2]


async def test_stop_without_draining_drops_all_but_what_downstream_has(gated):
    dropped = []
    sink = BackpressureAwareEventSink(gated, 5, lambda _type, data: dropped.append(data["n"]))
    fill(sink, 5)
    await asyncio.to_thread(gated.has_one.wait)
    waits = asyncio.ensure_future(sink.emit(type="t", data={"n": 5}))
    await asyncio.sleep(0)
    stopping = asyncio.ensure_future(sink.stop(drain=False, timeout_s=60))
    with pytest.raises(RuntimeFault, match="SINK-CLOSED"):
        await waits
    assert_exact(sink, emitted=6, dropped=5, waiting=1)
    gated.open()
    assert await stopping
    assert dropped == [1, 2, 3, 4, 5]
    assert numbers(gated) == [0]
    assert_exact(sink, emitted=6, delivered=1, dropped=5)


async def test_stop_that_takes_too_long_drops_the_rest_and_interrupts_nothing(gated):
    sink = BackpressureAwareEventSink(gated)
    fill(sink, 3)
    await asyncio.to_thread(gated.has_one.wait)
    assert not await sink.stop(timeout_s=0.01)
    assert_exact(sink, emitted=3, dropped=2, waiting=1)
    gated.open()
    assert await sink.stop(timeout_s=60)
    assert numbers(gated) == [0]
    assert_exact(sink, emitted=3, delivered=1, dropped=2)


async def test_stopped_sink_takes_no_events_and_counts_them():
    keeper, dropped = InMemoryEventSink(), []
    sink = BackpressureAwareEventSink(keeper, on_drop=lambda type_, _data: dropped.append(type_))
    await sink.stop(timeout_s=60)
    assert sink.try_emit(type="a", data=None) is False
    with pytest.raises(RuntimeFault, match="SINK-CLOSED"):
        await sink.emit(type="b", data=None)
    assert dropped == ["a", "b"]
    assert_exact(sink, emitted=2, dropped=2)


def test_sink_needs_no_event_loop_of_its_users():
    keeper = InMemoryEventSink()
    sink = BackpressureAwareEventSink(keeper)
    fill(sink, 10)
    asyncio.run(sink.emit(type="t", data={"n": 10}))
    assert asyncio.run(sink.stop(timeout_s=60))
    assert numbers(keeper) == list(range(11))


def test_thread_ends_when_the_sink_is_stopped():
    before = set(threading.enumerate())
    sink = BackpressureAwareEventSink(InMemoryEventSink())
    [mine] = set(threading.enumerate()) - before
    asyncio.run(sink.stop(timeout_s=60))
    mine.join(60)
    assert not mine.is_alive()


async def test_idle_sink_costs_nothing():
    """It waits to be woken; it does not look from time to time."""
    steps = []

    class Watched(InMemoryEventSink):
        async def emit(self, *, type, data):
            loop = asyncio.get_running_loop()
            select = loop._selector.select
            loop._selector.select = lambda timeout: steps.append(timeout) or select(timeout)

    sink = BackpressureAwareEventSink(Watched())
    await sink.emit(type="t", data=None)
    await sink.stop(timeout_s=60)
    assert {timeout for timeout in steps if timeout} <= {None}


async def test_downstream_lives_on_one_loop_that_runs_between_events_too():
    loops, background = [], threading.Event()

    class NeedsALoop(InMemoryEventSink):
        async def emit(self, *, type, data):
            loops.append(asyncio.get_running_loop())
            loops[-1].call_later(0, background.set)

    sink = BackpressureAwareEventSink(NeedsALoop())
    fill(sink, 1)
    assert await asyncio.to_thread(background.wait, 60)
    fill(sink, 1)
    await sink.stop(timeout_s=60)
    assert len(loops) == 2
    assert loops[0] is loops[1] is not asyncio.get_running_loop()


async def test_counts_are_exact_at_every_moment_under_many_threads():
    keeper = InMemoryEventSink()
    sink = BackpressureAwareEventSink(keeper, 10)
    refused = []

    async def emit_some():
        for number in range(200):
            if number % 4:
                refused.append(not sink.try_emit(type="t", data={"n": number}))
            else:
                await sink.emit(type="t", data={"n": number})
            metrics = sink.metrics
            told = metrics.delivered + metrics.failed + metrics.dropped + metrics.waiting
            assert metrics.emitted == told

    await asyncio.gather(*(asyncio.to_thread(asyncio.run, emit_some()) for _ in range(4)))
    await sink.stop(timeout_s=60)
    assert_exact(sink, emitted=800, delivered=len(keeper.events), dropped=sum(refused))


async def test_sink_accepts_what_downstream_accepts():
    class OnlyEnds(InMemoryEventSink):
        def accepts(self, type):
            return type.endswith("completed")

    keeper = OnlyEnds()
    sink = BackpressureAwareEventSink(keeper)
    async with LocalRuntime(event_sink=sink) as runtime:
        await Pipeline().with_stage("a", ok, StageKind.WORK).run(runtime=runtime)
    await sink.stop(timeout_s=60)
    assert [event.type for event in keeper.events] == ["stage.a.completed", "pipeline.completed"]


def test_queued_events_are_delivered_at_the_exit_of_the_process():
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_STOPPING], capture_output=True, text=True, timeout=60
    )
    assert ended.stdout.split() == [str(number) for number in range(100)]
    assert (ended.returncode, ended.stderr) == (0, "")


def test_queue_without_room_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        BackpressureAwareEventSink(InMemoryEventSink(), 0)
