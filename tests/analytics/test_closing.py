"""The end of a ``BufferedExporter``: what is delivered, what is left, and that nothing stays."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from stageflow_actors import BufferedExporter, RuntimeFault
from tests.analytics.doubles import (
    SOON,
    Blocking,
    Failing,
    Gated,
    Keeping,
    assert_exact,
    event,
    events,
    numbers,
)

LATER = {"flush_interval_s": 3600, **SOON}

WITHOUT_CLOSING = """
from stageflow_actors import AnalyticsEvent, BufferedExporter

class Printing:
    async def export(self, events):
        for event in events:
            print(event.event_type, flush=True)

exporter = BufferedExporter(Printing())
for number in range(150):
    exporter.try_export(AnalyticsEvent(str(number)))
"""


@pytest.fixture
def threads():
    """The threads of exporters that still live."""

    def living():
        return {each for each in threading.enumerate() if each.name == "stageflow-analytics"}

    assert living() == set()
    return living


async def test_close_delivers_what_is_buffered_closes_the_exporter_and_ends_the_thread(threads):
    keeper = Keeping()
    async with BufferedExporter(keeper, batch_size=2, **LATER) as exporter:
        await exporter.export(events(*range(5)))
        assert len(threads()) == 1
    assert numbers(keeper.kept) == list(range(5))
    assert keeper.closed == 1
    assert threads() == set()
    assert await exporter.close() == ()
    assert keeper.closed == 1


async def test_close_tries_a_failing_exporter_again_with_pauses_that_do_not_grow():
    """Doubled each time, twenty of them would take a quarter of an hour."""
    keeper = Failing(20)
    exporter = BufferedExporter(keeper, retry_pause_s=0.001, max_retry_pause_s=3600)
    await exporter.export(events(1))
    assert await exporter.close(20) == ()
    assert len(keeper.attempts) == 21


async def test_close_gives_back_what_an_exporter_that_always_fails_did_not_take(threads, caplog):
    keeper = Failing()
    exporter = BufferedExporter(keeper, **LATER)
    given = [event(1), event(2, "auth.login")]
    await exporter.export(given)
    left = await exporter.close(timeout_s=0.01)
    assert left == tuple(given)
    assert keeper.closed == 1
    assert_exact(exporter, accepted=2, left=2)
    assert any(
        "2 events were not exported, 1 of them" in each.getMessage() for each in caplog.records
    )
    assert threads() == set()


async def test_close_cancels_an_exporter_that_hangs(threads):
    keeper = Gated()
    exporter = BufferedExporter(keeper, 1, retry_pause_s=3600, max_retry_pause_s=3600)
    await exporter.export(events(1, 2))
    await keeper.holds_one()
    assert numbers(await exporter.close(timeout_s=0.01)) == [1, 2]
    assert keeper.cancelled == 1
    assert keeper.closed == 1
    assert threads() == set()
    assert_exact(exporter, accepted=2, left=2)


async def test_of_two_that_close_the_one_with_less_time_counts(threads, caplog):
    keeper = Gated()
    exporter = BufferedExporter(keeper, retry_pause_s=3600, max_retry_pause_s=3600)
    await exporter.export(events(1, 2))
    patient = asyncio.ensure_future(exporter.close(60))
    await keeper.holds_one()
    assert numbers(await exporter.close(timeout_s=0)) == [1, 2]
    assert numbers(await patient) == [1, 2]
    assert keeper.cancelled == 1
    assert threads() == set()
    assert not any("still runs" in each.getMessage() for each in caplog.records)


async def test_close_leaves_an_exporter_that_blocks_its_thread_behind(threads, monkeypatch):
    monkeypatch.setattr("stageflow_actors.adapters.analytics.buffered.GRACE_S", 0.01)
    keeper = Blocking()
    exporter = BufferedExporter(keeper, batch_size=1)
    await exporter.export(events(1, 2))
    assert await asyncio.to_thread(keeper.has_one.wait, 60)
    assert numbers(await exporter.close(timeout_s=0.01)) == [1, 2]
    [thread] = threads()
    keeper.may_go.set()
    thread.join(60)
    assert not thread.is_alive()
    assert_exact(exporter, accepted=2, left=2)  # the account was closed before it came back


async def test_close_of_the_exporter_may_raise_or_hang(threads, monkeypatch, caplog):
    monkeypatch.setattr("stageflow_actors.adapters.analytics.delivery.GRACE_S", 0.01)

    class Raising(Keeping):
        async def close(self):
            raise OSError("no")

    class Hanging(Keeping):
        async def close(self):
            await asyncio.Event().wait()

    for keeper in (Raising(), Hanging()):
        exporter = BufferedExporter(keeper, **LATER)
        await exporter.export(events(1))
        assert await exporter.close(timeout_s=0.2) == ()
        assert numbers(keeper.kept) == [1]
        assert any(type(keeper).__name__ in each.getMessage() for each in caplog.records)
    assert threads() == set()


async def test_exporter_needs_no_close():
    class Plain:
        async def export(self, events):
            pass

    async with BufferedExporter(Plain(), **LATER) as exporter:
        await exporter.export(events(1))
    assert_exact(exporter, accepted=1, exported=1)


async def test_close_serves_those_who_wait_for_room_too():
    keeper = Gated()
    exporter = BufferedExporter(keeper, 1, 0, 1)
    await exporter.export(events(1))
    await keeper.holds_one()
    exporting = asyncio.ensure_future(exporter.export([event(2, "auth.login")]))
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(exporter.close(60))
    await asyncio.sleep(0)
    keeper.open()
    assert await closing == ()
    await exporting
    assert numbers(keeper.kept) == [1, 2]


async def test_who_still_waits_at_the_end_is_told():
    keeper = Gated()
    exporter = BufferedExporter(keeper, 1, 0, 1)
    await exporter.export([event(1, "auth.login")])
    await keeper.holds_one()
    exporting = asyncio.ensure_future(exporter.export([event(2, "auth.login")]))
    await asyncio.sleep(0)
    assert numbers(await exporter.close(timeout_s=0)) == [1]
    with pytest.raises(RuntimeFault, match="SINK-CLOSED"):
        await exporting
    assert_exact(exporter, accepted=1, left=1, refused=1)


async def test_closed_exporter_takes_no_events_and_counts_them():
    exporter = BufferedExporter(Keeping())
    await exporter.close()
    assert not exporter.try_export(event(1))
    with pytest.raises(RuntimeFault, match="SINK-CLOSED"):
        await exporter.export(events(2))
    assert_exact(exporter, refused=2)
    assert await exporter.flush(60)


async def test_flush_that_a_close_overtakes_is_answered():
    exporter = BufferedExporter(Failing(), **LATER)
    await exporter.export(events(1))
    flushing = asyncio.ensure_future(exporter.flush(60))
    await asyncio.sleep(0)
    await exporter.close(timeout_s=0)
    assert not await flushing


def test_exporter_needs_no_event_loop_of_its_users():
    keeper = Keeping()
    exporter = BufferedExporter(keeper, **LATER)
    assert exporter.try_export(event(1))
    asyncio.run(exporter.export(events(2)))
    assert asyncio.run(exporter.close()) == ()
    assert numbers(keeper.kept) == [1, 2]


def test_buffered_events_are_delivered_at_the_exit_of_the_process():
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_CLOSING], capture_output=True, text=True, timeout=60
    )
    assert ended.stdout.split() == [str(number) for number in range(150)]
    assert (ended.returncode, ended.stderr) == (0, "")
