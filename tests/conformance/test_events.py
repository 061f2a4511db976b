"""Every run tells what happened: in order, with ids, live and to sinks, whatever the sinks do."""

from __future__ import annotations

import asyncio
import threading
from uuid import UUID

import pytest

from stageflow_actors import (
    InMemoryEventSink,
    Pipeline,
    RunStatus,
    Settings,
    StageKind,
    StageOutput,
    clear_event_sink,
    flush_events,
    set_event_sink,
)
from tests.conformance.crossing import Gate
from tests.conformance.stages import After, WaitForever, ok


def chain():
    return (
        Pipeline("tea")
        .with_stage("a", ok, StageKind.WORK)
        .with_stage("b", ok, StageKind.WORK, dependencies="a")
    )


async def events_of(runtime, pipeline, **parts):
    async with runtime.deploy(pipeline) as app:
        handle = await app.start(**parts)
        events = [event async for event in handle.events()]
        return events, await handle.result()


async def test_ordinary_run_emits_its_whole_life(runtime):
    events, _result = await events_of(runtime, chain())
    assert [event.type for event in events] == [
        "pipeline.created",
        "pipeline.started",
        "stage.a.started",
        "stage.a.completed",
        "stage.b.started",
        "stage.b.completed",
        "pipeline.completed",
    ]
    assert [event.seq for event in events] == list(range(1, 8))
    assert [event.attempt for event in events if event.stage == "a"] == [1, 1]
    assert events[3].data["duration_ms"] >= 0
    assert events[-1].data["status"] == "ok"


async def test_failed_run_tells_what_failed_and_why(runtime, tmp_path):
    config = {"folder": tmp_path, "gate": "waiter-runs", "then": "raise"}
    pipeline = (
        Pipeline()
        .with_stage("bad", After, config=config)
        .with_stage("waiter", WaitForever, config={"folder": tmp_path})
    )
    events, _result = await events_of(runtime, pipeline)
    by_type = {event.type: event for event in events}
    failed = by_type["stage.bad.failed"].data
    assert (failed["error"], failed["error_type"]) == ("bad raised", "ValueError")
    assert failed["code"] == "STAGE-RAISED"
    assert by_type["stage.waiter.cancelled"].data["reason"] == "bad raised"
    assert by_type["pipeline.failed"].data["deciding_stage"] == "bad"
    assert events[-1].type == "pipeline.failed"


async def test_skipped_stage_tells_reason_and_duration(runtime):
    async def skip(ctx):
        return StageOutput.skip("nothing to do")

    events, _result = await events_of(runtime, Pipeline().with_stage("s", skip, StageKind.WORK))
    [skipped] = [event for event in events if event.type == "stage.s.skipped"]
    assert skipped.data["reason"] == "nothing to do"
    assert skipped.data["duration_ms"] >= 0


async def test_cancelled_run_ends_with_its_cancel(runtime, tmp_path):
    pipeline = Pipeline().with_stage("waiter", WaitForever, config={"folder": tmp_path})
    async with runtime.deploy(pipeline) as app:
        handle = await app.start()
        types = []
        async for event in handle.events():
            types.append(event.type)
            if event.type == "stage.waiter.started":
                await Gate(tmp_path, "waiter-runs").opened()
                await handle.cancel("enough")
    assert types[-2:] == ["stage.waiter.cancelled", "pipeline.cancelled"]


async def test_events_are_live_while_the_run_goes_on(runtime, tmp_path):
    config = {"folder": tmp_path, "gate": "seen", "then": "ok"}
    pipeline = (
        Pipeline()
        .with_stage("a", ok, StageKind.WORK)
        .with_stage("b", After, dependencies="a", config=config)
    )
    async with runtime.deploy(pipeline) as app:
        handle = await app.start()
        async for event in handle.events():
            if event.type == "stage.a.completed":
                assert not handle.is_done
                Gate(tmp_path, "seen").open()  # b ends only because this event was seen
        assert (await handle.result()).ok


async def test_every_reader_gets_every_event(runtime):
    async with runtime.deploy(chain()) as app:
        handle = await app.start()

        async def read():
            return [event async for event in handle.events()]

        first, second = await asyncio.gather(read(), read())
        await handle.result()
        late = await read()
    assert first == second == late
    assert len(first) == 7


async def test_sink_gets_every_event_in_order_with_ids(runtime, sink):
    async with runtime.deploy(chain()) as app:
        handle = await app.start(input_text="x", execution_mode="practice")
        await handle.result()
    assert await runtime.flush_events()
    assert [event.data["seq"] for event in sink.events] == list(range(1, 8))
    for event in sink.events:
        assert event.data["pipeline_run_id"] == str(handle.run_id)
        assert UUID(event.data["request_id"]).version == 7
        assert event.data["topology"] == "tea"
        assert event.data["execution_mode"] == "practice"
    assert UUID(str(handle.run_id)).version == 7
    assert sink.of_type("stage.a.completed")[0].data["stage"] == "a"


async def test_sink_is_fed_while_a_long_run_goes_on(runtime, sink, tmp_path):
    config = {"folder": tmp_path, "gate": "go", "then": "ok"}
    async with runtime.deploy(Pipeline().with_stage("long", After, config=config)) as app:
        handle = await app.start()
        while not sink.of_type("stage.long.started"):
            await asyncio.sleep(0.005)
        assert not handle.is_done
        Gate(tmp_path, "go").open()
        await handle.result()
    await runtime.flush_events()
    assert [event.data["seq"] for event in sink.events] == [1, 2, 3, 4, 5]


class StuckSink(InMemoryEventSink):
    """Blocks the thread that calls it until it is released."""

    def __init__(self):
        super().__init__()
        self.is_stuck = threading.Event()
        self.release = threading.Event()

    async def emit(self, *, type, data):
        self.is_stuck.set()
        self.release.wait()
        self.try_emit(type=type, data=data)


async def test_run_does_not_wait_for_a_stuck_sink_and_drops_are_counted(runtime):
    stuck = StuckSink()
    same = type(runtime)(event_sink=stuck, settings=Settings(max_queued_events=10))
    async with same.deploy(chain()) as app:
        await app.run()
        await asyncio.to_thread(stuck.is_stuck.wait)
        assert (await app.run())["b"].data == {"stage": "b"}  # ends, though the sink is stuck
    assert not stuck.events
    counts = same.event_statistics()
    assert (counts.submitted, counts.dropped) == (14, 4)
    stuck.release.set()
    assert await same.flush_events()
    counts = same.event_statistics()
    assert (counts.delivered, counts.waiting) == (len(stuck.events), 0) == (10, 0)


class RaisingSink:
    async def emit(self, *, type, data):
        raise OSError("disk full")

    def try_emit(self, *, type, data):
        raise OSError("disk full")


async def test_raising_sink_fails_no_run_and_is_counted_and_warned_about_once(runtime, caplog):
    same = type(runtime)(event_sink=RaisingSink())
    async with same.deploy(chain()) as app:
        assert (await (await app.start()).result()).status is RunStatus.OK
    await same.flush_events()
    assert same.event_statistics().failed == 7
    [warning] = [record for record in caplog.records if "sink" in record.getMessage()]
    assert "RaisingSink" in warning.getMessage()


class UndecidedSink(InMemoryEventSink):
    def accepts(self, type):
        if type == "pipeline.started":
            raise OSError("cannot say")
        return True


async def test_sink_that_cannot_say_what_it_accepts_fails_no_run(runtime):
    sink = UndecidedSink()
    same = type(runtime)(event_sink=sink)
    async with same.deploy(chain()) as app:
        assert (await (await app.start()).result()).ok
    await same.flush_events()
    assert len(sink.events) == 6
    assert same.event_statistics().failed == 1


async def test_odd_data_in_an_event_does_not_fail_the_stage(runtime):
    async def tell(ctx):
        ctx.try_emit_event("odd", {"lock": threading.Lock(), "n": 1})
        return None

    events, result = await events_of(runtime, Pipeline().with_stage("a", tell, StageKind.WORK))
    assert result.ok
    [odd] = [event for event in events if event.type == "odd"]
    assert odd.data["n"] == 1
    assert "lock" in odd.data["lock"]


async def test_events_beyond_the_bound_are_dropped_and_counted_but_not_the_runtimes_own(runtime):
    async def chatter(ctx):
        for number in range(50):
            ctx.try_emit_event("chat", {"n": number})

    same = type(runtime)(settings=Settings(max_events_per_run=20))
    pipeline = Pipeline().with_stage("a", chatter, StageKind.WORK)
    events, result = await events_of(same, pipeline)
    chats = sum(event.type == "chat" for event in events)
    assert chats + result.events_dropped == 50
    assert result.events_dropped > 0
    assert events[-1].type == "pipeline.completed"
    assert [event.seq for event in events] == list(range(1, len(events) + 1))


@pytest.fixture
def default_sink_restored():
    yield
    clear_event_sink()


@pytest.mark.usefixtures("default_sink_restored")
async def test_open_deployment_follows_a_changed_default_sink(runtime):
    former, latter = InMemoryEventSink(), InMemoryEventSink()
    set_event_sink(former)
    async with type(runtime)().deploy(chain()) as app:
        await app.run()
        set_event_sink(latter)
        await app.run()
    assert await flush_events()
    assert (len(former.events), len(latter.events)) == (7, 7)


async def test_ids_in_events_cannot_be_replaced_by_a_stage(runtime, sink):
    async def forge(ctx):
        ctx.try_emit_event("forged", {"pipeline_run_id": "x", "seq": 99, "stage": "y", "note": 1})

    async with runtime.deploy(Pipeline().with_stage("a", forge, StageKind.WORK)) as app:
        handle = await app.start()
        await handle.result()
    await runtime.flush_events()
    [forged] = sink.of_type("forged")
    assert forged.data["pipeline_run_id"] == str(handle.run_id)
    assert (forged.data["seq"], forged.data["stage"], forged.data["note"]) == (4, "a", 1)


class CancellingSink(InMemoryEventSink):
    async def emit(self, *, type, data):
        if type == "pipeline.created":
            raise asyncio.CancelledError
        self.try_emit(type=type, data=data)


async def test_sink_that_raises_a_cancel_gets_the_next_event_all_the_same(runtime):
    sink = CancellingSink()
    same = type(runtime)(event_sink=sink)
    async with same.deploy(chain()) as app:
        await app.run()
    assert await same.flush_events()
    assert len(sink.events) == 6
    assert same.event_statistics().failed == 1
