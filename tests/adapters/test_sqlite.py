"""``SQLiteEventSink``: what it acknowledged is stored; several processes; one commit for many."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from uuid import UUID, uuid4

import pytest

from stageflow_actors import LocalRuntime, Pipeline, RuntimeFault, StageKind
from stageflow_actors.adapters import sqlite_file
from stageflow_actors.adapters.sqlite import SQLiteEventSink
from tests.adapters.doubles import rows_of
from tests.conformance.stages import ok

KILLED_AFTER_THE_LAST_ACKNOWLEDGEMENT = """
import asyncio, os, signal, sys
from stageflow_actors.adapters.sqlite import SQLiteEventSink

async def main(path, singles):
    sink = SQLiteEventSink(path)
    for number in range(singles):
        await sink.emit(type="single", data={"n": number})
    await asyncio.gather(*(sink.emit(type="gathered", data={"n": n}) for n in range(50)))
    await sink.emit_many([("many", {"n": n}) for n in range(50)])
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""

ONE_OF_SEVERAL_PROCESSES = """
import asyncio, sys
from stageflow_actors.adapters.sqlite import SQLiteEventSink

async def main(path, name):
    sys.stdin.readline()  # so that all of them begin at once
    with SQLiteEventSink(path, synchronous="NORMAL", busy_timeout_s=60) as sink:
        for number in range(50):
            await sink.emit(type=name, data={"n": number})

asyncio.run(main(*sys.argv[1:]))
"""

ENDS_WITHOUT_CLOSING = """
import sys
from stageflow_actors.adapters.sqlite import SQLiteEventSink

sink = SQLiteEventSink(sys.argv[1])
for number in range(500):
    sink.try_emit(type="t", data={"n": number})
"""

ON_A_FULL_DISK = """
import asyncio, resource, sqlite3, sys
from stageflow_actors.adapters.sqlite import SQLiteEventSink

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

sink = SQLiteEventSink(sys.argv[1])
asyncio.run(sink.emit(type="t", data={"n": 1}))
limit(100_000)
try:
    asyncio.run(sink.emit(type="t", data={"n": 2, "text": "x" * 1_000_000}))
except sqlite3.OperationalError:
    pass
else:
    sys.exit("a write beyond the limit did not raise")
limit(resource.RLIM_INFINITY)
asyncio.run(sink.emit(type="t", data={"n": 3}))
assert (sink.statistics.written, sink.statistics.failed) == (2, 1), sink.statistics
sink.close()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "events.db"


@contextmanager
def locked(path):
    """The database, held by another writer."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def python(code, *arguments, **options):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, text=True, **options)


@pytest.mark.parametrize("singles", [1, 50])
def test_acknowledged_events_survive_the_kill_of_the_process(path, singles):
    killed = python(KILLED_AFTER_THE_LAST_ACKNOWLEDGEMENT, path, singles)
    assert killed.wait(60) == -signal.SIGKILL
    rows = rows_of(path)
    assert [data["n"] for type_, data in rows if type_ == "single"] == list(range(singles))
    assert [data["n"] for type_, data in rows if type_ == "gathered"] == list(range(50))
    assert [data["n"] for type_, data in rows if type_ == "many"] == list(range(50))


async def test_event_is_acknowledged_only_when_it_is_committed(path):
    with SQLiteEventSink(path, busy_timeout_s=60) as sink:
        with locked(path):
            emitted = asyncio.ensure_future(sink.emit(type="t", data={}))
            done, _late = await asyncio.wait([emitted], timeout=0.1)
            assert not done
        await emitted
        assert rows_of(path) == [("t", {})]


async def test_events_that_wait_together_are_committed_together(path):
    with SQLiteEventSink(path, busy_timeout_s=60) as sink:
        with locked(path):
            emitted = [asyncio.ensure_future(sink.emit(type="t", data={"n": n})) for n in range(99)]
            await asyncio.sleep(0)
        await asyncio.gather(*emitted)
    assert sink.statistics.written == 99
    assert sink.statistics.commits <= 2  # the first of them may have gone ahead


async def test_many_events_are_stored_in_one_commit_or_not_at_all(path):
    with SQLiteEventSink(path) as sink:
        await sink.emit_many((f"t{n}", {"n": n}) for n in range(100))
        assert (sink.statistics.written, sink.statistics.commits) == (100, 1)
        with closing(sqlite3.connect(path)) as other:
            other.execute(
                "CREATE TRIGGER no_twos BEFORE INSERT ON events WHEN NEW.seq = 2 "
                "BEGIN SELECT RAISE(ABORT, 'no twos'); END"
            )
        with pytest.raises(sqlite3.IntegrityError, match="no twos"):
            await sink.emit_many(("t", {"seq": n}) for n in range(4))
    assert len(rows_of(path)) == 100
    assert sink.statistics.failed == 4


async def test_event_that_cannot_be_stored_fails_no_neighbour(path):
    with SQLiteEventSink(path, busy_timeout_s=60) as sink:
        with closing(sqlite3.connect(path)) as other:
            other.execute(
                "CREATE TRIGGER no_twos BEFORE INSERT ON events WHEN NEW.seq = 2 "
                "BEGIN SELECT RAISE(ABORT, 'no twos'); END"
            )
        with locked(path):
            emitted = [
                asyncio.ensure_future(sink.emit(type="t", data={"seq": n})) for n in range(5)
            ]
            await asyncio.sleep(0)
        outcomes = await asyncio.gather(*emitted, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes if outcome] == [sqlite3.IntegrityError]
    assert [data["seq"] for _type, data in rows_of(path)] == [0, 1, 3, 4]
    assert (sink.statistics.written, sink.statistics.failed) == (4, 1)


async def test_caller_that_gives_up_takes_no_event_back(path):
    with SQLiteEventSink(path, busy_timeout_s=60) as sink:
        with locked(path):
            emitted = asyncio.ensure_future(sink.emit(type="t", data={}))
            await asyncio.sleep(0)
            emitted.cancel()
            with pytest.raises(asyncio.CancelledError):
                await emitted
        await sink.emit(type="after", data={})
    assert [type_ for type_, _data in rows_of(path)] == ["t", "after"]
    assert sink.statistics.written == 2


def test_processes_that_share_a_database_lose_no_event(path):
    names = ["a", "b", "c", "d"]
    processes = [
        python(ONE_OF_SEVERAL_PROCESSES, path, name, stdin=subprocess.PIPE) for name in names
    ]
    for process in processes:
        process.communicate("go\n", timeout=60)
    assert [process.returncode for process in processes] == [0, 0, 0, 0]
    rows = rows_of(path)
    for name in names:
        assert [data["n"] for type_, data in rows if type_ == name] == list(range(50))


def test_queued_events_are_stored_at_the_exit_of_the_process(path):
    assert python(ENDS_WITHOUT_CLOSING, path).wait(60) == 0
    assert len(rows_of(path)) == 500


def test_events_beyond_the_queue_are_dropped_and_counted(path):
    with SQLiteEventSink(path, busy_timeout_s=60, max_queued_events=10) as sink, locked(path):
        for number in range(50):
            sink.try_emit(type="t", data={"n": number})
    statistics = sink.statistics
    assert statistics.dropped >= 50 - 2 * 10  # those being stored, and those behind them
    assert statistics.written + statistics.dropped == 50
    assert len(rows_of(path)) == statistics.written


async def test_events_of_a_run_are_read_back_with_their_columns(path):
    with SQLiteEventSink(path) as sink:
        runtime = LocalRuntime(event_sink=sink)
        pipeline = Pipeline().with_stage("a", ok, StageKind.WORK)
        async with runtime, runtime.deploy(pipeline) as app:
            runs = [await app.start(), await app.start()]
            for run in runs:
                await run.result()
        for run in runs:
            stored = sink.read(run.run_id)
            assert stored == sink.read(str(run.run_id))
            assert [event.seq for event in stored] == [1, 2, 3, 4, 5]
            assert [event.stage for event in stored] == [None, None, "a", "a", None]
            assert stored[-1].type == "pipeline.completed"
            assert {event.pipeline_run_id for event in stored} == {str(run.run_id)}
            assert [event.timestamp for event in stored] == [e.data["timestamp"] for e in stored]
    assert len(sink.read(runs[0].run_id)) == 5  # a closed sink can still be read


async def test_fields_that_fit_no_column_are_kept_in_the_data(path):
    odd = {"pipeline_run_id": 5, "seq": 2**63, "stage": ["a"], "timestamp": None}
    run = uuid4()
    with SQLiteEventSink(path) as sink:
        await sink.emit(type="\ud800", data=odd)
        await sink.emit(type="t", data={"pipeline_run_id": run, "seq": True, "stage": "\udfff"})
        [first], [second] = sink.read(None), sink.read(run)
    assert first == ("\\ud800", None, None, None, None, odd)
    assert second[:4] == ("t", str(run), None, "\\udfff")
    assert UUID(second.data["pipeline_run_id"]) == run
    assert second.data["stage"] == "\udfff"


def commits_wait_for_the_disk(path, **options):
    """The setting, as the connection of a sink has it."""
    with SQLiteEventSink(path, **options) as sink:
        [[setting]] = sink._database.execute("PRAGMA synchronous").fetchall()
    return setting


def test_commits_wait_for_the_disk_unless_told_otherwise(path):
    assert commits_wait_for_the_disk(path) == 2
    assert commits_wait_for_the_disk(path, synchronous="NORMAL") == 1
    with pytest.raises(ValueError, match="OFF, NORMAL, FULL, EXTRA"):
        SQLiteEventSink(path, synchronous="MAYBE")


def test_readers_do_not_hold_up_the_writer(path):
    with SQLiteEventSink(path, busy_timeout_s=0) as sink, closing(sqlite3.connect(path)) as reader:
        asyncio.run(sink.emit(type="t", data={}))
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM events").fetchone() == (1,)
        asyncio.run(sink.emit(type="t", data={}))  # in WAL mode only


def test_database_that_another_makes_ready_is_waited_for(path, monkeypatch):
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("CREATE TABLE guests (name TEXT)")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RuntimeFault, match="locked"):
            SQLiteEventSink(path, busy_timeout_s=0)
        monkeypatch.setattr(sqlite_file.time, "sleep", lambda _s: other.execute("ROLLBACK"))
        SQLiteEventSink(path, busy_timeout_s=60).close()


@pytest.mark.parametrize("where", ["missing/events.db", "."])
def test_path_that_cannot_be_opened_is_refused_at_once(tmp_path, where):
    with pytest.raises(RuntimeFault, match="SINK-OPEN") as raised:
        SQLiteEventSink(tmp_path / where)
    assert isinstance(raised.value.__cause__, sqlite3.Error)


@pytest.mark.parametrize("content", ["no database at all, but long enough to look at", None])
def test_file_that_is_something_else_is_refused_and_left_alone(path, content):
    if content:
        path.write_text(content)
    else:
        with closing(sqlite3.connect(path)) as other:
            other.execute("CREATE TABLE events (pipeline_run_id TEXT, guest TEXT)")
    before = path.read_bytes()
    with pytest.raises(RuntimeFault, match="SINK-OPEN"):
        SQLiteEventSink(path)
    assert content is None or path.read_bytes() == before


def test_full_disk_raises_and_is_over_when_there_is_room(path):
    assert python(ON_A_FULL_DISK, path).wait(60) == 0
    assert [data["n"] for _type, data in rows_of(path)] == [1, 3]


async def test_failed_writes_cost_no_run_anything_and_are_counted(path, caplog):
    with SQLiteEventSink(path, busy_timeout_s=0) as sink, locked(path):
        async with LocalRuntime(event_sink=sink) as runtime:
            results = await Pipeline().with_stage("a", ok, StageKind.WORK).run(runtime=runtime)
    assert results["a"].ok
    assert runtime.event_statistics().failed == sink.statistics.failed == 5
    assert sum("could not be stored" in record.getMessage() for record in caplog.records) == 1


async def test_closed_sink_refuses_events(path):
    sink = SQLiteEventSink(path)
    sink.close()
    sink.close()
    assert "stageflow-sqlite" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(RuntimeFault, match="SINK-CLOSED"):
        sink.try_emit(type="t", data=None)
    with pytest.raises(RuntimeFault, match="SINK-CLOSED"):
        await sink.emit(type="t", data=None)
