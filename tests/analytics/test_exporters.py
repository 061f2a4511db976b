"""The exporters that come along: a file, the console, several at once."""

from __future__ import annotations

import asyncio
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stageflow_actors import (
    AnalyticsEvent,
    AnalyticsExporter,
    BufferedExporter,
    CompositeExporter,
    ConsoleExporter,
    JSONFileExporter,
    RuntimeFault,
)
from tests.analytics.doubles import SOON, Failing, Gated, Keeping, event, events, numbers

AT = datetime(2030, 1, 2, 3, 4, 5, 6000, UTC)
HOSTILE = "a\nb\r\x1b[31m\u2028\x00\ud800é"


def lines_of(path):
    text = Path(path).read_bytes().decode("ascii")
    assert not text or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("make", [ConsoleExporter, lambda: CompositeExporter([])])
def test_exporters_are_exporters(make):
    assert isinstance(make(), AnalyticsExporter)


# --- a file ---------------------------------------------------------------------------------------


async def test_file_has_one_line_per_event(tmp_path):
    exporter = JSONFileExporter(tmp_path / "e.jsonl")
    given = [
        AnalyticsEvent(HOSTILE, AT, {HOSTILE: HOSTILE, "odd": {object}}, stage_name=HOSTILE),
        event(2),
    ]
    await exporter.export(given)
    assert exporter.try_export(event(3))
    await exporter.close()
    lines = lines_of(tmp_path / "e.jsonl")
    assert len(lines) == 3
    assert lines[0]["event_type"] == lines[0]["stage_name"] == HOSTILE
    assert lines[0]["timestamp"] == AT.isoformat()
    assert [AnalyticsEvent.from_dict(each) for each in lines[1:]][0] == given[1]


async def test_file_is_appended_to_unless_it_is_not(tmp_path):
    for append, expected in [(True, [1]), (True, [1, 1]), (False, [1])]:
        exporter = JSONFileExporter(tmp_path / "e.jsonl", append=append)
        await exporter.export(events(1))
        await exporter.close()
        assert [line["data"]["n"] for line in lines_of(tmp_path / "e.jsonl")] == expected


async def test_file_is_rotated_by_size(tmp_path):
    exporter = JSONFileExporter(tmp_path / "e.jsonl", max_bytes=400, max_files=2)
    for number in range(10):
        await exporter.export(events(number))
    await exporter.close()
    assert {path.name for path in tmp_path.iterdir()} == {"e.jsonl", "e.jsonl.1"}
    kept = [*lines_of(tmp_path / "e.jsonl.1"), *lines_of(tmp_path / "e.jsonl")]
    assert [line["data"]["n"] for line in kept][-1] == 9
    assert all(path.stat().st_size <= 400 for path in tmp_path.iterdir())


async def test_write_that_fails_leaves_nothing_so_that_it_can_be_made_again(tmp_path, monkeypatch):
    """The disk is full in the middle of a batch."""
    from stageflow_actors.adapters import jsonl

    room = [100]

    class FullDisk(jsonl.FileIO):
        def write(self, text):
            if not room:
                return super().write(text)
            if room[0] == 0:
                raise OSError(28, "No space left on device")
            part, room[0] = text[: room[0]], 0
            return super().write(part)

    monkeypatch.setattr(jsonl, "FileIO", FullDisk)
    keeper = JSONFileExporter(tmp_path / "e.jsonl")
    exporter = BufferedExporter(
        keeper, flush_interval_s=3600, retry_pause_s=60, max_retry_pause_s=60
    )
    await exporter.export(events(1, 2, 3))
    assert not await exporter.flush(60)
    assert lines_of(tmp_path / "e.jsonl") == []
    room.clear()
    assert await exporter.close(60) == ()
    assert [line["data"]["n"] for line in lines_of(tmp_path / "e.jsonl")] == [1, 2, 3]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
async def test_full_disk_leaves_the_events_with_the_caller():
    exporter = BufferedExporter(JSONFileExporter("/dev/full"), flush_interval_s=3600, **SOON)
    await exporter.export(events(1, 2))
    assert not await exporter.flush(60)
    assert numbers(await exporter.close(timeout_s=0.01)) == [1, 2]


def test_file_that_cannot_be_opened_is_refused_at_once(tmp_path):
    with pytest.raises(RuntimeFault, match="SINK-OPEN"):
        JSONFileExporter(tmp_path / "no such folder" / "e.jsonl")


async def test_closed_file_takes_no_events(tmp_path):
    exporter = JSONFileExporter(tmp_path / "e.jsonl")
    await exporter.close()
    with pytest.raises(RuntimeFault, match="SINK-CLOSED"):
        await exporter.export(events(1))


# --- the console ----------------------------------------------------------------------------------


async def test_console_has_one_line_per_event():
    stream = io.StringIO()
    exporter = ConsoleExporter(stream)
    await exporter.export(
        [
            AnalyticsEvent("stage.dig.completed", AT, {"n": 1}, None, "dig", 12.34),
            AnalyticsEvent(HOSTILE, AT, {HOSTILE: HOSTILE}, None, HOSTILE),
        ]
    )
    first, second = stream.getvalue().splitlines()
    assert first == "2030-01-02T03:04:05.006+00:00 stage.dig.completed stage=dig duration_ms=12.3"
    assert second.isascii()
    assert second.isprintable()


async def test_verbose_console_has_the_data_too():
    stream = io.StringIO()
    exporter = ConsoleExporter(stream, verbose=True)
    await exporter.export([AnalyticsEvent("a", AT, {HOSTILE: 1})])
    [line] = stream.getvalue().splitlines()
    assert json.loads(line.partition(" a ")[2]) == {HOSTILE: 1}


async def test_console_is_standard_error_as_it_is_then(capsys):
    exporter = ConsoleExporter()
    assert exporter.try_export(AnalyticsEvent("a", AT))
    assert capsys.readouterr().err == "2030-01-02T03:04:05.006+00:00 a\n"


async def test_console_that_is_closed_raises():
    stream = io.StringIO()
    stream.close()
    with pytest.raises(ValueError, match="closed"):
        await ConsoleExporter(stream).export(events(1))


# --- several --------------------------------------------------------------------------------------


async def test_composite_brings_events_again_only_to_those_that_failed():
    fine, failing = Keeping(), Failing(2)
    composite = CompositeExporter([fine, failing])
    async with BufferedExporter(composite, 2, 3600, **SOON) as exporter:
        await exporter.export(events(1, 2, 3))
        await failing.has(2)
    assert numbers(fine.kept) == numbers(failing.kept) == [1, 2, 3]
    assert (fine.closed, failing.closed) == (1, 1)
    told = composite.statistics
    assert [(each.delivered, each.failed) for each in told] == [(3, 0), (3, 2)]
    assert [each.sink for each in told] == ["Keeping", "Failing"]


async def test_composite_brings_what_is_new_in_a_batch_to_all():
    """Between two attempts the batch has grown, and its oldest event was dropped."""
    fine, failing = Keeping(), Failing(1)
    composite = CompositeExporter([fine, failing])
    one, two, three = events(1, 2, 3)
    with pytest.raises(OSError, match="down"):
        await composite.export([one, two])
    await composite.export([two, three])
    assert numbers(fine.kept) == [1, 2, 3]
    assert numbers(failing.kept) == [2, 3]


async def test_composite_forgets_what_all_have_had():
    keeper, [one] = Keeping(), events(1)
    composite = CompositeExporter([keeper])
    await composite.export([one])
    await composite.export([one])  # somebody wants it twice
    assert numbers(keeper.kept) == [1, 1]


async def test_composite_lets_all_finish_before_it_raises():
    gated, failing = Gated(), Failing(error=asyncio.CancelledError())
    exporting = asyncio.ensure_future(CompositeExporter([failing, gated]).export(events(1)))
    await gated.holds_one()
    assert not exporting.done()
    gated.open()
    with pytest.raises(asyncio.CancelledError):
        await exporting
    assert numbers(gated.kept) == [1]


async def test_composite_closes_all_and_raises_what_the_first_did():
    class Raising(Keeping):
        async def close(self):
            raise OSError("no")

    last = Keeping()
    with pytest.raises(OSError, match="no"):
        await CompositeExporter([Raising(), last]).close()
    assert last.closed == 1
