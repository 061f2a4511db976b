"""``BufferedExporter``: batches, failures, overflow; every event once, in order, accounted for."""

from __future__ import annotations

import asyncio
import threading

import pytest

from stageflow_actors import AnalyticsEvent, BufferedExporter
from tests.analytics.doubles import (
    SOON,
    Failing,
    Gated,
    Keeping,
    assert_exact,
    event,
    events,
    numbers,
)

LATER = {"flush_interval_s": 3600, **SOON}
ROOM_FOR_ONE = {"max_buffer_bytes": 700}
"""And nothing is due meanwhile, as it would be with a ``max_buffer_size`` of 1."""


@pytest.fixture
def gated():
    exporter = Gated()
    yield exporter
    exporter.open()


async def test_full_batch_is_exported_at_once_and_less_waits():
    keeper = Keeping()
    async with BufferedExporter(keeper, batch_size=3, **LATER) as exporter:
        await exporter.export(events(*range(4)))
        await keeper.has(3)
        assert [numbers(batch) for batch in keeper.batches] == [[0, 1, 2]]
    assert numbers(keeper.kept) == [0, 1, 2, 3]
    assert_exact(exporter, accepted=4, exported=4)


async def test_buffer_that_is_smaller_than_a_batch_is_due_when_it_is_full():
    keeper = Keeping()
    async with BufferedExporter(keeper, 100, 3600, max_buffer_size=2) as exporter:
        await exporter.export(events(1, 2))
        await keeper.has(2)


async def test_batch_that_is_not_full_is_exported_after_the_interval():
    keeper = Keeping()
    async with BufferedExporter(keeper, flush_interval_s=0.001) as exporter:
        await exporter.export(events(1))
        await keeper.has(1)
        await exporter.export(events(2))
        await keeper.has(2)


async def test_flush_exports_what_is_buffered():
    keeper = Keeping()
    async with BufferedExporter(keeper, batch_size=2, **LATER) as exporter:
        assert await exporter.flush(60)  # nothing to do
        await exporter.export(events(*range(5)))
        assert await exporter.flush(60)
        assert numbers(keeper.kept) == list(range(5))
        assert_exact(exporter, accepted=5, exported=5)


@pytest.mark.parametrize("error", [OSError("full"), asyncio.CancelledError(), SystemExit(1)])
async def test_failed_batch_is_kept_and_exported_once_in_order(error, caplog):
    keeper = Failing(3, error)
    async with BufferedExporter(keeper, batch_size=2, **LATER) as exporter:
        await exporter.export(events(*range(5)))
        await keeper.has(4)
    assert numbers(keeper.kept) == list(range(5))
    assert keeper.attempts[:4] == [[0, 1]] * 4
    assert exporter.statistics.failed_exports == 3
    assert_exact(exporter, accepted=5, exported=5)
    [warning] = [record for record in caplog.records if "Failing" in record.getMessage()]
    assert type(error).__name__ in warning.getMessage()
    assert error.__traceback__ is None  # which grows each time that the same object is raised


async def test_flush_says_that_the_exporter_failed_and_loses_nothing():
    keeper = Failing()
    exporter = BufferedExporter(
        keeper, flush_interval_s=3600, retry_pause_s=3600, max_retry_pause_s=3600
    )
    await exporter.export(events(1, 2))
    assert not await exporter.flush(60)
    assert not await exporter.flush(60)  # does not wait for the pause to be over
    assert_exact(exporter, accepted=2, buffered=2)
    keeper.heal()
    assert await exporter.flush(60)
    assert numbers(keeper.kept) == [1, 2]
    assert await exporter.close() == ()


async def test_flush_has_an_attempt_of_its_own_after_one_under_way_has_failed():
    class FailsOnceAfterAWhile(Gated):
        async def export(self, events):
            is_first = not self.has_one.is_set()
            await super().export([] if is_first else events)
            if is_first:
                raise OSError("down")

    keeper = FailsOnceAfterAWhile()
    pauses = {"retry_pause_s": 3600, "max_retry_pause_s": 3600}
    async with BufferedExporter(keeper, 1, **pauses) as exporter:
        await exporter.export(events(1))
        await keeper.holds_one()
        flushing = asyncio.ensure_future(exporter.flush(60))
        await asyncio.sleep(0)
        keeper.open()
        assert await flushing
        assert numbers(keeper.kept) == [1]


async def test_flush_that_takes_too_long_says_so_and_leaves_the_exporter_alone(gated):
    async with BufferedExporter(gated, **LATER) as exporter:
        await exporter.export(events(1))
        assert not await exporter.flush(0.01)
        assert gated.cancelled == 0
        gated.open()
        assert await exporter.flush(60)
    assert numbers(gated.kept) == [1]


async def test_overflow_drops_the_oldest_and_says_so(gated):
    told = []
    exporter = BufferedExporter(gated, 1, 0, 5, lambda *notice: told.append(notice))
    await exporter.export(events(0))
    await gated.holds_one()
    await exporter.export(events(*range(1, 8)))
    assert told == [(-1, 4), (1, 5), (2, 5), (3, 5)]
    gated.open()
    assert await exporter.close() == ()
    assert numbers(gated.kept) == [0, 4, 5, 6, 7]
    assert_exact(exporter, accepted=8, exported=5, dropped=3)


async def test_events_of_an_exporter_that_always_fails_are_bounded_and_the_newest_stay():
    keeper = Failing()
    exporter = BufferedExporter(keeper, 2, 0, 4, **SOON)
    for number in range(100):
        await exporter.export(events(number))
        await asyncio.sleep(0)
    left = await exporter.close(timeout_s=0.05)
    assert keeper.attempts
    assert len(left) == 4
    assert numbers(left) == sorted(numbers(left))
    assert numbers(left)[-1] == 99
    assert_exact(exporter, accepted=100, dropped=96, left=4)
    assert await exporter.close() == left  # once more for whoever has not looked


async def test_bytes_are_bounded_by_what_the_data_takes_as_text():
    keeper = Failing()
    exporter = BufferedExporter(keeper, 1000, 3600, max_buffer_bytes=20_000)
    for number in range(10):
        assert exporter.try_export(AnalyticsEvent("t", data={"n": number, "x": "y" * 5000}))
        assert exporter.statistics.buffered_bytes <= 20_000
    left = await exporter.close(timeout_s=0)
    assert numbers(left) == [7, 8, 9]


async def test_kept_event_is_not_what_its_maker_still_changes():
    keeper, data = Keeping(), {"n": 1, "list": [1]}
    async with BufferedExporter(keeper, **LATER) as exporter:
        assert exporter.try_export(AnalyticsEvent("t", data=data))
        data["list"].append(2)
    assert keeper.kept[0].data == {"n": 1, "list": [1]}


async def test_on_overflow_that_raises_harms_nobody(gated, caplog):
    def on_overflow(dropped, size):
        raise ValueError("no")

    exporter = BufferedExporter(gated, 1, 0, 2, on_overflow, high_water_mark=1.0)
    await exporter.export(events(1))
    await gated.holds_one()
    await exporter.export(events(2, 3, 4))
    assert exporter.statistics.overflow_errors == 3  # one at the mark, two for drops
    gated.open()
    assert await exporter.close() == ()
    assert numbers(gated.kept) == [1, 4]
    assert len([each for each in caplog.records if "on_overflow" in each.getMessage()]) == 1


async def test_audit_event_takes_the_place_of_another(gated):
    exporter = BufferedExporter(gated, 1, 0, 2)
    await exporter.export(events(1))
    await gated.holds_one()
    await exporter.export([event(2), event(3, "auth.login")])
    gated.open()
    await exporter.close()
    assert numbers(gated.kept) == [1, 3]
    assert_exact(exporter, accepted=3, exported=2, dropped=1)


@pytest.mark.parametrize(
    "type_",
    ["auth.failure", "tenant.access_denied", "approval.asked", "tool.denied", "guardrail.a.b"],
)
async def test_audit_events_wait_where_there_is_no_room_and_are_never_dropped(type_, gated):
    exporter = BufferedExporter(gated, 1, 0, 2)
    await exporter.export(events(1))
    await gated.holds_one()
    exporting = [asyncio.ensure_future(exporter.export([event(n, type_)])) for n in (2, 3, 4)]
    await asyncio.sleep(0)
    assert [each.done() for each in exporting] == [True, False, False]
    assert not exporter.try_export(event(5, type_))
    assert not exporter.try_export(event(6))  # no room for it either: it is dropped
    assert_exact(exporter, accepted=3, dropped=1, buffered=2, waiting=2, refused=1)
    gated.open()
    await asyncio.gather(*exporting)
    assert await exporter.close() == ()
    assert numbers(gated.kept) == [1, 2, 3, 4]
    assert_exact(exporter, accepted=5, exported=4, dropped=1, refused=1)


@pytest.mark.parametrize("type_", ["authority.x", "tool.denied.x", "my.auth.login", "Auth.login"])
async def test_other_events_are_dropped(type_):
    exporter = BufferedExporter(Failing(), 1000, 3600, **ROOM_FOR_ONE)
    await exporter.export([event(1, type_), event(2, "t")])
    assert numbers(await exporter.close(timeout_s=0)) == [2]


async def test_audit_class_is_configurable_and_who_cannot_tell_drops_nothing():
    def odd(type_):
        raise ValueError

    for audit, kept in [("bill.*", [1]), (["bill.*"], [1]), ((), [3]), (odd, [1])]:
        exporter = BufferedExporter(Failing(), 1000, 3600, audit=audit, **ROOM_FOR_ONE)
        for each in (event(1, "bill.paid"), event(2, "auth.login"), event(3, "t")):
            exporter.try_export(each)
        assert numbers(await exporter.close(timeout_s=0)) == kept, audit


async def test_caller_that_stops_waiting_takes_its_audit_event_back(gated):
    exporter = BufferedExporter(gated, 1, 0, 1)
    await exporter.export(events(1))
    await gated.holds_one()
    exporting = asyncio.ensure_future(exporter.export([event(2, "auth.login")]))
    await asyncio.sleep(0)
    exporting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await exporting
    assert_exact(exporter, accepted=1, buffered=1, refused=1)
    gated.open()
    await exporter.close()
    assert numbers(gated.kept) == [1]


async def test_counts_are_exact_at_every_moment_under_many_threads():
    keeper = Failing(40)
    exporter = BufferedExporter(keeper, 10, 0, 50, **SOON)
    refused = []

    async def export_some(name):
        for number in range(200):
            one = event([name, number], "auth.login" if number % 5 == 0 else "t")
            if number % 3:
                refused.append(not exporter.try_export(one) and number % 5 == 0)
            else:
                await exporter.export([one])
            told = exporter.statistics
            assert told.accepted == told.exported + told.dropped + told.left + told.buffered
            assert told.buffered <= 50

    await asyncio.gather(*(asyncio.to_thread(asyncio.run, export_some(n)) for n in range(4)))
    assert await exporter.close(60) == ()
    told, kept = exporter.statistics, numbers(keeper.kept)
    assert told.accepted + told.refused == 800
    assert (told.exported, told.refused) == (len(kept), sum(refused))
    for name in range(4):
        mine = [number for who, number in kept if who == name]
        assert mine == sorted(set(mine))
    audit = [each for each in keeper.kept if each.event_type == "auth.login"]
    assert len(audit) == 160 - told.refused


async def test_exporter_lives_on_one_loop_that_runs_between_batches_too():
    loops, background = [], threading.Event()

    class NeedsALoop(Keeping):
        async def export(self, events):
            loops.append(asyncio.get_running_loop())
            loops[-1].call_later(0, background.set)
            await super().export(events)

    keeper = NeedsALoop()
    async with BufferedExporter(keeper, 1) as exporter:
        await exporter.export(events(1))
        assert await asyncio.to_thread(background.wait, 60)
        await exporter.export(events(2))
        await keeper.has(2)
    assert loops[0] is loops[1] is not asyncio.get_running_loop()


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch_size": 0},
        {"batch_size": "x"},
        {"flush_interval_s": -1},
        {"flush_interval_s": None},
        {"max_buffer_bytes": "x"},
    ],
)
def test_what_makes_no_sense_is_refused_before_a_thread_is_started(wrong):
    before = threading.active_count()
    with pytest.raises(ValueError, match="at least"):
        BufferedExporter(Keeping(), **wrong)
    assert threading.active_count() == before


def test_what_is_no_exporter_is_refused():
    with pytest.raises(TypeError, match="is no exporter: it has no async def export"):
        BufferedExporter(object())
