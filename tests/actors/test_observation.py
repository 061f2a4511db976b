"""The default sink of a process, and sinks that say what they want."""

from __future__ import annotations

import logging

import pytest

from stageflow_actors import (
    InMemoryEventSink,
    LocalRuntime,
    LoggingEventSink,
    NoOpEventSink,
    Pipeline,
    StageKind,
    clear_event_sink,
    event_statistics,
    flush_events,
    get_event_sink,
    set_event_sink,
)
from tests.conformance.stages import ok


@pytest.fixture(autouse=True)
def default_sink_restored():
    yield
    clear_event_sink()


async def run_once(runtime=None):
    await Pipeline().with_stage("a", ok, StageKind.WORK).run(runtime=runtime or LocalRuntime())


async def test_default_sink_gets_the_events_of_runtimes_without_their_own():
    sink, own = InMemoryEventSink(), InMemoryEventSink()
    set_event_sink(sink)
    assert get_event_sink() is sink
    await run_once()
    await run_once(LocalRuntime(event_sink=own))
    assert await flush_events()
    assert len(sink.events) == 5
    assert event_statistics().delivered == 5


async def test_replaced_default_sink_gets_what_it_was_owed():
    former, latter = InMemoryEventSink(), InMemoryEventSink()
    set_event_sink(former)
    await run_once()
    set_event_sink(latter)
    assert len(former.events) == 5
    assert not latter.events


async def test_default_sink_logs(caplog):
    clear_event_sink()
    assert isinstance(get_event_sink(), LoggingEventSink)
    with caplog.at_level(logging.INFO, logger="stageflow_actors.events"):
        await run_once()
        assert await flush_events()
    assert [record.event for record in caplog.records][0] == "pipeline.created"
    assert len(caplog.records) == 5


@pytest.mark.parametrize("sink", [NoOpEventSink(), LoggingEventSink(logging.DEBUG)])
async def test_nothing_is_prepared_for_a_sink_that_would_discard_it(sink):
    logging.getLogger("stageflow_actors.events").setLevel(logging.INFO)
    set_event_sink(sink)
    await run_once()
    assert event_statistics().submitted == 0


class OnlyCompletions(InMemoryEventSink):
    def accepts(self, type):
        return type.endswith(".completed")


async def test_selective_sink_gets_only_what_it_accepts():
    sink = OnlyCompletions()
    set_event_sink(sink)
    await run_once()
    assert await flush_events()
    assert [event.type for event in sink.events] == ["stage.a.completed", "pipeline.completed"]
