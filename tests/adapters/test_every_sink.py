"""What every sink promises: all events, in order, whatever is in them, from whatever thread."""

from __future__ import annotations

import asyncio
import math
import threading

import pytest

from stageflow_actors import (
    EventSink,
    LocalRuntime,
    Pipeline,
    SelectiveEventSink,
    StageKind,
    StageOutput,
)


class Stubborn:
    def __repr__(self):
        raise ValueError("no text")


def circle():
    ring = {}
    ring["again"] = [ring]
    return ring


def deep():
    nest = []
    for _ in range(10_000):
        nest = [nest]
    return nest


def shared():
    """Small in memory, astronomic when written out."""
    part = ["x"]
    for _ in range(60):
        part = [part, part]
    return part


ODD = {
    "newlines": "a\nb\r\nc\u2028d\x85e",
    "lone surrogate": "\ud800 and \udfff",
    "NUL": "a\0b",
    "NaN": [math.nan, math.inf, -math.inf],
    "huge int": 10**5_000,
    "int beyond a column": 2**63,
    "bytes": b"\xff\n",
    "object": object(),
    "no text": Stubborn(),
    "circle": circle(),
    "deep": deep(),
    "shared": shared(),
    "odd keys": {1: "a", "1": "b", None: "c", ("t", 1): "d", math.nan: "e", "\ud800": "f"},
}


async def test_every_sink_is_an_event_sink(probe):
    assert isinstance(probe.sink, EventSink)


async def test_every_event_is_kept_in_the_order_emitted(probe):
    for number in range(300):
        await probe.sink.emit(type=f"kind.{number % 3}", data={"n": number})
    assert await probe.kept() == [(f"kind.{n % 3}", {"n": n}) for n in range(300)]


async def test_emit_and_try_emit_keep_the_same_in_one_order(probe):
    for number in range(50):
        await probe.sink.emit(type="e", data={"n": number, "by": "both"})
        probe.sink.try_emit(type="e", data={"n": number, "by": "both"})
    expected = [("e", {"n": n, "by": "both"}) for n in range(50) for _twice in range(2)]
    assert await probe.kept() == expected


@pytest.mark.parametrize("method", ["emit", "try_emit"])
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
async def test_odd_data_is_kept_and_hurts_no_neighbour(probe, odd, method):
    for n, data in enumerate([{}, {"odd": odd}, {"seq": odd, "stage": odd}, {}]):
        outcome = getattr(probe.sink, method)(type="t", data={"n": n, **data})
        if method == "emit":
            await outcome
    kept = await probe.kept()
    assert [(type_, data["n"]) for type_, data in kept] == [("t", n) for n in range(4)]
    assert "odd" in kept[1][1]


@pytest.mark.parametrize("type_", ["", "a\nb", "a\0b", "stage.\N{SNOWMAN}.started"])
async def test_odd_types_are_kept(probe, type_):
    await probe.sink.emit(type=type_, data=None)
    assert await probe.kept() == [(type_, {})]


async def test_event_without_data_is_kept_as_one_with_none(probe):
    await probe.sink.emit(type="bare", data=None)
    probe.sink.try_emit(type="bare", data={})
    assert await probe.kept() == [("bare", {}), ("bare", {})]


async def test_data_that_changes_later_is_kept_as_it_was(probe):
    data = {"n": 1}
    await probe.sink.emit(type="t", data=data)
    data["n"] = 2
    probe.sink.try_emit(type="t", data=data)
    data["n"] = 3
    assert await probe.kept() == [("t", {"n": 1}), ("t", {"n": 2})]


async def test_events_of_several_threads_and_loops_are_all_kept_each_in_its_order(probe):
    async def emit_some(name):
        for number in range(25):
            await probe.sink.emit(type="t", data={"from": name, "n": number})
            probe.sink.try_emit(type="t", data={"from": name, "n": number + 0.5})

    threads = [
        threading.Thread(target=lambda name=name: asyncio.run(emit_some(name))) for name in "abcd"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    kept = [data for _type, data in await probe.kept()]
    for name in "abcd":
        assert [data["n"] for data in kept if data["from"] == name] == [n / 2 for n in range(50)]
    assert len(kept) == 200


async def tell(ctx):
    ctx.try_emit_event("odd", {"text": "\ud800\n", "number": math.nan, "thing": object()})
    return StageOutput.ok()


async def test_events_of_a_run_are_kept_in_order_with_their_ids(probe):
    pipeline = (
        Pipeline("tea")
        .with_stage("a", tell, StageKind.WORK)
        .with_stage("b", tell, StageKind.WORK, dependencies="a")
    )
    runtime = LocalRuntime(event_sink=probe.sink)
    async with runtime, runtime.deploy(pipeline) as app:
        handle = await app.start()
        told = [event async for event in handle.events()]
        await handle.result()
    kept = await probe.kept()
    assert [type_ for type_, _data in kept] == [event.type for event in told]
    assert [data["seq"] for _type, data in kept] == list(range(1, 10))
    assert {data["pipeline_run_id"] for _type, data in kept} == {str(handle.run_id)}
    assert runtime.event_statistics().delivered == 9


async def test_sink_that_says_what_it_accepts_accepts_what_it_keeps(probe):
    assert not isinstance(probe.sink, SelectiveEventSink) or probe.sink.accepts("anything")
