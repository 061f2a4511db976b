"""``JSONLEventSink``: rotation, failed writes, files left by others."""

from __future__ import annotations

import subprocess
import sys
import threading
from io import FileIO
from pathlib import Path

import pytest

from stageflow_actors import LocalRuntime, Pipeline, RuntimeFault, StageKind
from stageflow_actors.adapters import jsonl
from stageflow_actors.adapters.jsonl import JSONLEventSink
from tests.adapters.doubles import lines_of
from tests.conformance.stages import ok

LINE = len(b'{"type":"t","data":{"n":0}}\n')

ON_A_FULL_DISK = """
import asyncio, resource, sys
from stageflow_actors.adapters import jsonl
from stageflow_actors.adapters.jsonl import JSONLEventSink

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

sink = JSONLEventSink(sys.argv[1])
sink.try_emit(type="t", data={"n": 1})
limit(40)  # room for half of the next line
for _attempt in range(2):
    try:
        asyncio.run(sink.emit(type="t", data={"n": 2}))
    except OSError as error:
        assert type(error) is OSError, error
    else:
        sys.exit("a write beyond the limit did not raise")
limit(resource.RLIM_INFINITY)
sink.try_emit(type="t", data={"n": 3})
assert (sink.statistics.written, sink.statistics.failed) == (2, 2)
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "events.jsonl"


def fill(path, events, **options):
    with JSONLEventSink(path, **options) as sink:
        for number in range(events):
            sink.try_emit(type="t", data={"n": number})
    return sink.statistics


def numbers_in(path):
    return [line["data"]["n"] for line in lines_of(path)]


def test_event_can_be_read_as_soon_as_it_was_taken(path):
    with JSONLEventSink(path) as sink:
        sink.try_emit(type="t", data={"n": 1})
        assert numbers_in(path) == [1]


def test_full_file_moves_on_and_the_oldest_goes(path):
    statistics = fill(path, 9, max_bytes=2 * LINE, max_files=3)
    assert numbers_in(path) == [8]
    assert numbers_in(f"{path}.1") == [6, 7]
    assert numbers_in(f"{path}.2") == [4, 5]
    assert len(list(path.parent.iterdir())) == 3
    assert statistics.written == 9
    assert (statistics.rotations, statistics.files_removed) == (4, 2)


def test_single_file_starts_over_when_it_is_full(path):
    statistics = fill(path, 5, max_bytes=2 * LINE, max_files=1)
    assert numbers_in(path) == [4]
    assert list(path.parent.iterdir()) == [path]
    assert (statistics.rotations, statistics.files_removed) == (2, 2)


def test_line_larger_than_a_file_gets_one_of_its_own(path):
    with JSONLEventSink(path, max_bytes=2 * LINE) as sink:
        for text in ("", "x" * 1_000, ""):
            sink.try_emit(type="t", data={"n": len(text), "text": text})
    assert numbers_in(path) == [0]
    assert numbers_in(f"{path}.1") == [1_000]
    assert numbers_in(f"{path}.2") == [0]


def test_empty_file_is_not_rotated_for_a_line_larger_than_a_file(path):
    assert fill(path, 1, max_bytes=1).rotations == 0
    assert list(path.parent.iterdir()) == [path]


def test_file_of_a_former_process_is_continued_within_its_bound(path):
    fill(path, 3, max_bytes=4 * LINE)
    fill(path, 3, max_bytes=4 * LINE)
    assert numbers_in(f"{path}.1") == [0, 1, 2, 0]
    assert numbers_in(path) == [1, 2]


def test_line_that_a_former_process_did_not_finish_spoils_no_other(path):
    path.write_bytes(b'{"type":"t","da')
    fill(path, 1)
    assert path.read_bytes() == b'{"type":"t","da\n{"type":"t","data":{"n":0}}\n'


def test_rotation_from_many_threads_loses_no_event(path):
    with JSONLEventSink(path, max_bytes=5 * LINE, max_files=1_000) as sink:

        def emit_some():
            for _ in range(100):
                sink.try_emit(type="t", data={"n": 0})

        threads = [threading.Thread(target=emit_some) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sum(len(numbers_in(file)) for file in path.parent.iterdir()) == 400
    assert sink.statistics.written == 400


@pytest.mark.parametrize("where", ["missing/events.jsonl", "."])
def test_path_that_cannot_be_written_is_refused_at_once(tmp_path, where):
    with pytest.raises(RuntimeFault, match=r"cannot be opened: .*\[SINK-OPEN\]") as raised:
        JSONLEventSink(tmp_path / where)
    assert str(tmp_path) in raised.value.message
    assert isinstance(raised.value.__cause__, OSError)


@pytest.mark.parametrize("bound", ["max_bytes", "max_files"])
def test_bound_that_leaves_no_room_is_refused(path, bound):
    with pytest.raises(ValueError, match="at least 1"):
        JSONLEventSink(path, **{bound: 0})


def test_full_disk_raises_leaves_no_half_line_and_is_over_when_there_is_room(path):
    subprocess.run([sys.executable, "-c", ON_A_FULL_DISK, str(path)], check=True, timeout=60)
    assert numbers_in(path) == [1, 3]


class BreaksOnce(FileIO):
    """Writes half of the second line, then can do nothing any more."""

    writes = 0

    def write(self, data):
        type(self).writes += 1
        if self.writes == 2:
            return super().write(data[:10])
        if self.writes == 3:
            raise OSError("broken")
        return super().write(data)

    def truncate(self, size):
        raise OSError("broken")


def test_half_line_that_cannot_be_taken_back_spoils_no_other(path, monkeypatch):
    monkeypatch.setattr(jsonl, "FileIO", BreaksOnce)
    with JSONLEventSink(path) as sink:
        sink.try_emit(type="t", data={"n": 1})
        with pytest.raises(OSError, match="broken"):
            sink.try_emit(type="t", data={"n": 2})
        sink.try_emit(type="t", data={"n": 3})
    whole, half, after = path.read_text().splitlines()
    assert half == whole[:10]
    assert after == whole.replace("1", "3")


async def test_failed_writes_cost_no_run_anything_and_are_counted():
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no device that is always full")
    with JSONLEventSink(full) as sink:
        async with LocalRuntime(event_sink=sink) as runtime:
            results = await Pipeline().with_stage("a", ok, StageKind.WORK).run(runtime=runtime)
    assert results["a"].ok
    assert runtime.event_statistics().failed == sink.statistics.failed == 5


def test_failed_rotation_raises_and_is_made_up_for(path):
    obstacle = Path(f"{path}.1")
    obstacle.mkdir()
    (obstacle / "something").touch()
    with JSONLEventSink(path, max_bytes=LINE, max_files=2) as sink:
        sink.try_emit(type="t", data={"n": 1})
        with pytest.raises(OSError, match=obstacle.name):
            sink.try_emit(type="t", data={"n": 2})
        obstacle.rename(path.parent / "away")
        sink.try_emit(type="t", data={"n": 3})
    assert (numbers_in(path), numbers_in(obstacle)) == ([3], [1])
    assert (sink.statistics.rotations, sink.statistics.failed) == (1, 1)


async def test_closed_sink_refuses_events(path):
    sink = JSONLEventSink(path)
    sink.close()
    sink.close()
    with pytest.raises(RuntimeFault, match="SINK-CLOSED"):
        sink.try_emit(type="t", data=None)
    with pytest.raises(RuntimeFault, match="SINK-CLOSED"):
        await sink.emit(type="t", data=None)
