"""``AnalyticsSink``: what runs tell, on both runtimes, comes out once and in order."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest

from stageflow_actors import (
    AnalyticsSink,
    BufferedExporter,
    CompositeExporter,
    ConsoleExporter,
    EventSink,
    FanOutEventSink,
    InMemoryEventSink,
    JSONFileExporter,
    LocalRuntime,
    Pipeline,
    RayRuntime,
    SelectiveEventSink,
    StageKind,
    StageOutput,
)
from stageflow_actors.adapters.event_json import data_to_json
from tests.analytics.doubles import SOON, Failing, Gated, Keeping, assert_exact, numbers


def dig(ctx):
    return StageOutput.ok(depth=3)


PIPELINE = (
    Pipeline(name="garden")
    .with_stage("dig", dig, StageKind.WORK)
    .with_stage("sow", dig, StageKind.WORK, dependencies=("dig",))
)


@pytest.fixture(params=["local", pytest.param("ray", marks=pytest.mark.ray)])
def make_runtime(request):
    if request.param == "local":
        return LocalRuntime
    request.getfixturevalue("ray_session")
    return RayRuntime


async def test_run_whose_exporter_fails_and_heals_is_exported_once_and_in_order(make_runtime):
    keeper, beside = Failing(3), InMemoryEventSink()
    async with BufferedExporter(keeper, batch_size=3, flush_interval_s=0, **SOON) as exporter:
        sink = FanOutEventSink(beside, AnalyticsSink(exporter))
        async with make_runtime(event_sink=sink) as runtime, runtime.deploy(PIPELINE) as app:
            run = await app.start()
            assert (await run.result()).status == "ok"
    told = [(each.type, json.loads(data_to_json(each.data))) for each in beside.events]
    assert [(each.event_type, each.data) for each in keeper.kept] == told
    assert [each.data["seq"] for each in keeper.kept] == list(range(1, len(told) + 1))
    assert len(told) > 5
    assert {each.pipeline_run_id for each in keeper.kept} == {run.run_id}
    assert keeper.kept[2].stage_name == "dig"
    assert keeper.left == 0
    assert_exact(exporter, accepted=len(told), exported=len(told))


async def test_run_waits_for_no_exporter_and_its_audit_events_wait_for_a_place():
    gated = Gated()
    exporter = BufferedExporter(gated, 1, 0, 2, audit="*")
    async with LocalRuntime(event_sink=AnalyticsSink(exporter)) as runtime:
        result = await PIPELINE.run(runtime=runtime)
        assert set(result.keys()) == {"dig", "sow"}
        await gated.holds_one()
        gated.open()
    assert await exporter.close(60) == ()
    assert [each.data["seq"] for each in gated.kept] == list(range(1, len(gated.kept) + 1))
    assert gated.kept[-1].event_type == "pipeline.completed"
    assert exporter.statistics.dropped == 0


async def test_run_is_not_harmed_by_an_exporter_that_always_fails():
    exporter = BufferedExporter(Failing(), 1, 0, 2, **SOON)
    async with LocalRuntime(event_sink=AnalyticsSink(exporter)) as runtime:
        await PIPELINE.run(runtime=runtime)
    left = await exporter.close(timeout_s=0)
    told = exporter.statistics
    assert told.accepted == told.dropped + len(left) > 5


async def test_sink_exports_what_is_included_and_not_excluded():
    keeper = Keeping()
    sink = AnalyticsSink(keeper, include=["stage.*", "pipeline.*"], exclude="*.created")
    assert isinstance(sink, EventSink)
    assert isinstance(sink, SelectiveEventSink)
    for type_ in ("stage.a", "pipeline.created", "other", "pipeline.completed"):
        await sink.emit(type=type_, data={"n": type_})
    assert numbers(keeper.kept) == ["stage.a", "pipeline.completed"]
    assert [sink.accepts(type_) for type_ in ("stage.a", "other")] == [True, False]
    assert AnalyticsSink(keeper).accepts("anything")
    assert not AnalyticsSink(keeper, include=[]).accepts("anything")
    assert AnalyticsSink(keeper, include=lambda type_: type_ == "x").accepts("x")


async def test_event_that_is_offered_is_taken_where_that_needs_no_waiting(tmp_path, capsys):
    file = JSONFileExporter(tmp_path / "e.jsonl")
    buffered = BufferedExporter(Keeping())
    for exporter in (file, buffered, ConsoleExporter()):
        sink = AnalyticsSink(exporter, exclude="b")
        assert sink.try_emit(type="a", data=None) is True
        assert sink.try_emit(type="b", data=None) is True
        assert sink.refused == 0
    await file.close()
    await buffered.close()
    assert json.loads((tmp_path / "e.jsonl").read_text())["event_type"] == "a"
    assert_exact(buffered, accepted=1, exported=1)
    assert capsys.readouterr().err.endswith(" a\n")


async def test_event_that_is_offered_is_refused_and_counted_where_it_would_have_to_wait():
    keeper = Keeping()
    for exporter in (keeper, CompositeExporter([keeper])):
        sink = AnalyticsSink(exporter)
        assert sink.try_emit(type="a", data=None) is False
        assert sink.refused == 1
    assert keeper.kept == []


async def test_audit_event_that_is_offered_is_refused_and_counted_where_there_is_no_room():
    gated = Gated()
    exporter = BufferedExporter(gated, 1, 0, 1)
    sink = AnalyticsSink(exporter)
    assert sink.try_emit(type="auth.login", data={"n": 1})
    await gated.holds_one()
    assert sink.try_emit(type="auth.login", data={"n": 2}) is False
    emitting = asyncio.ensure_future(sink.emit(type="auth.login", data={"n": 3}))
    await asyncio.sleep(0)
    assert not emitting.done()
    assert sink.refused == 1
    assert_exact(exporter, accepted=1, buffered=1, waiting=1, refused=1)
    gated.open()
    await emitting
    await exporter.close()
    assert numbers(gated.kept) == [1, 3]


async def test_sink_without_a_buffer_exports_as_events_come_and_raises_what_the_exporter_does():
    with pytest.raises(OSError, match="down"):
        await AnalyticsSink(Failing()).emit(type="a", data=None)
    keeper = Keeping()
    await AnalyticsSink(keeper).emit(type="a", data={"n": 1})
    assert numbers(keeper.kept) == [1]


async def test_offers_are_counted_from_many_threads():
    sink = AnalyticsSink(Keeping())
    threads = [
        threading.Thread(target=lambda: [sink.try_emit(type="a", data=None) for _ in range(200)])
        for _thread in range(4)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sink.refused == 800
