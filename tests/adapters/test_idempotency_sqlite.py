"""``SQLiteIdempotencyStore``: several processes on one file; what it acknowledged is stored."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing, contextmanager

import pytest

from stageflow_actors import RuntimeFault
from stageflow_actors.adapters import sqlite_file
from stageflow_actors.adapters.idempotency import claim_table
from stageflow_actors.adapters.idempotency.sqlite import SQLiteIdempotencyStore
from stageflow_actors.model.claims import Claim, ClaimState

OWNED, PENDING, ANSWERED = ClaimState.OWNED, ClaimState.PENDING, ClaimState.ANSWERED
KEYS = 40

ONE_OF_SEVERAL_PROCESSES = """
import asyncio, json, sys
from stageflow_actors.adapters.idempotency.sqlite import SQLiteIdempotencyStore

async def main(path, name, keys):
    sys.stdin.readline()  # so that all of them begin at once
    store = SQLiteIdempotencyStore(path, synchronous="OFF", busy_timeout_s=60)

    async def work(key):
        claim = await store.claim(key, "p", name, 600.0)
        if claim.state == "owned":
            assert await store.complete(key, name, f"{key} by {name}", 600.0)
            return [key, name]
        while claim.state == "pending":
            await store.changed(key)
            claim = await store.claim(key, "p", name, 600.0)
        return [key, claim.answer.removeprefix(f"{key} by ")]

    print(json.dumps(await asyncio.gather(*(work(str(n)) for n in range(keys)))))
    await store.close()

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""

KILLED_AT_WORK = """
import asyncio, os, signal, sys
from stageflow_actors.adapters.idempotency.sqlite import SQLiteIdempotencyStore

async def main(path):
    store = SQLiteIdempotencyStore(path)
    await store.claim("done", "p", "dead", 600.0)
    assert await store.complete("done", "dead", "yes", 6000.0)
    await store.claim("begun", "p", "dead", 600.0)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main(sys.argv[1]))
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "claims.db"


@pytest.fixture
async def open_store(path):
    opened = []

    def open_store(**options):
        opened.append(SQLiteIdempotencyStore(path, **{"synchronous": "OFF", **options}))
        return opened[-1]

    yield open_store
    for store in opened:
        await store.close()


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


def test_processes_on_one_file_give_each_key_one_owner_and_one_answer(path):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    processes = [python(ONE_OF_SEVERAL_PROCESSES, path, name, KEYS, **pipes) for name in "abcd"]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=100)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0]
    answers = [dict(json.loads(output)) for output in outputs]
    # A key with two owners would have been reported by each of them as its own.
    assert all(answer == answers[0] for answer in answers)
    assert len(answers[0]) == KEYS
    assert set(answers[0].values()) <= set("abcd")


async def test_a_key_of_a_process_that_died_is_free_when_its_lease_has_run_out(path, open_store):
    assert python(KILLED_AT_WORK, path).wait(60) == -signal.SIGKILL
    now = open_store()
    assert await now.claim("done", "p", "b", 600.0) == Claim(ANSWERED, "yes", "p")
    assert await now.claim("begun", "p", "b", 600.0) == Claim(PENDING, None, "p")
    later = open_store(clock=lambda: time.time() + 600)
    assert await later.claim("begun", "q", "b", 600.0) == Claim(OWNED, None, "q")
    assert not await now.complete("begun", "dead", "late", 600.0)


async def test_answers_and_owners_survive_reopening(path, open_store):
    first = open_store()
    await first.claim("done", "p", "a", 600.0)
    await first.complete("done", "a", "yes", 600.0)
    await first.claim("begun", "p", "a", 600.0)
    await first.close()
    second = open_store()
    assert await second.claim("done", "p", "b", 600.0) == Claim(ANSWERED, "yes", "p")
    assert await second.claim("begun", "p", "b", 600.0) == Claim(PENDING, None, "p")
    assert await second.complete("begun", "a", "yes, too", 600.0)


async def test_what_another_store_does_is_seen_by_looking(open_store):
    one, other = open_store(), open_store(poll_interval_s=0.01)
    await one.claim("k", "p", "a", 600.0)
    changed = asyncio.ensure_future(other.changed("k"))
    await one.complete("k", "a", "yes", 600.0)
    await asyncio.wait_for(changed, 60)


async def test_looking_needs_no_lock(path, open_store):
    store = open_store(poll_interval_s=0.01, busy_timeout_s=0)
    await store.claim("k", "p", "a", 600.0)
    with locked(path):
        changed = asyncio.ensure_future(store.changed("k"))
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            await store.release("k", "a")
        assert not changed.done()
    await store.release("k", "a")
    await asyncio.wait_for(changed, 60)


async def test_a_call_that_fails_leaves_the_store_usable(path, open_store):
    store = open_store(busy_timeout_s=0)
    await store.claim("k", "p", "a", 600.0)
    with closing(sqlite3.connect(path)) as other:
        other.execute(
            "CREATE TRIGGER no_answers BEFORE UPDATE ON claims BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
        with pytest.raises(sqlite3.IntegrityError, match="no"):
            await store.complete("k", "a", "yes", 600.0)
        other.execute("DROP TRIGGER no_answers")
    assert await store.complete("k", "a", "yes", 600.0)


async def test_the_clock_is_read_when_the_database_is_free_not_before(path, open_store):
    times = [1_000.0]
    store = open_store(busy_timeout_s=60, clock=lambda: times[-1])
    await store.claim("k", "p", "a", 10.0)
    with locked(path):
        claim = asyncio.ensure_future(store.claim("k", "p", "b", 10.0))
        done, _late = await asyncio.wait([claim], timeout=0.1)
        assert not done
        times.append(1_010.0)
    assert (await claim).state is OWNED
    assert (await store.claim("k", "p", "c", 10.0)).state is PENDING


async def test_outdated_rows_leave_a_bounded_number_at_a_time(path, open_store, monkeypatch):
    monkeypatch.setattr(claim_table, "_MAX_SWEPT", 10)
    times = [1_000.0]
    store = open_store(clock=lambda: times[-1])
    for number in range(12):
        await store.claim(f"answered {number}", "p", "a", 10.0)
        await store.complete(f"answered {number}", "a", "yes", 10.0)
    for number in range(12):
        await store.claim(f"abandoned {number}", "p", "dead", 10.0)
    await store.claim("kept", "p", "a", 1e9)
    times.append(1e6)
    left = []
    for _ in range(4):
        await store.claim("k", "p", "b", 1e9)
        with closing(sqlite3.connect(path)) as other:
            keys = [
                bytes(key).decode().split()[0] for (key,) in other.execute("SELECT key FROM claims")
            ]
        left.append(Counter(keys))
    assert left == [
        {"answered": 2, "abandoned": 12, "kept": 1, "k": 1},
        {"abandoned": 4, "kept": 1, "k": 1},
        {"kept": 1, "k": 1},
        {"kept": 1, "k": 1},
    ]


def test_commits_wait_for_the_disk_unless_told_otherwise(path):
    def setting(**options):
        store = SQLiteIdempotencyStore(path, **options)
        [[value]] = store._table._database.execute("PRAGMA synchronous").fetchall()
        asyncio.run(store.close())
        return value

    assert setting() == 2
    assert setting(synchronous="NORMAL") == 1
    with pytest.raises(ValueError, match="OFF, NORMAL, FULL, EXTRA"):
        SQLiteIdempotencyStore(path, synchronous="MAYBE")


async def test_closing_finishes_what_was_begun(path, open_store):
    store = open_store(busy_timeout_s=60)
    with locked(path):
        claim = asyncio.ensure_future(store.claim("k", "p", "a", 600.0))
        await asyncio.sleep(0)
        closed = asyncio.ensure_future(store.close())
        await asyncio.sleep(0)
    await closed
    assert (await claim).state is OWNED
    assert (await open_store().claim("k", "p", "b", 600.0)).state is PENDING


async def test_a_database_that_another_makes_ready_is_waited_for(path, monkeypatch):
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("CREATE TABLE guests (name TEXT)")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RuntimeFault, match="locked"):
            SQLiteIdempotencyStore(path, busy_timeout_s=0)
        monkeypatch.setattr(sqlite_file.time, "sleep", lambda _s: other.execute("ROLLBACK"))
        await SQLiteIdempotencyStore(path, busy_timeout_s=60).close()


@pytest.mark.parametrize("where", ["missing/claims.db", "."])
def test_a_path_that_cannot_be_opened_is_refused_at_once(tmp_path, where):
    with pytest.raises(RuntimeFault, match="IDEMPOTENCY-STORE") as raised:
        SQLiteIdempotencyStore(tmp_path / where)
    assert isinstance(raised.value.__cause__, sqlite3.Error)


@pytest.mark.parametrize("content", ["no database at all, but long enough to look at", None])
def test_a_file_that_is_something_else_is_refused_and_left_alone(path, content):
    if content:
        path.write_text(content)
    else:
        with closing(sqlite3.connect(path)) as other:
            other.execute("CREATE TABLE claims (remove_at REAL, guest TEXT)")
    before = path.read_bytes()
    with pytest.raises(RuntimeFault, match="IDEMPOTENCY-STORE"):
        SQLiteIdempotencyStore(path)
    assert content is None or path.read_bytes() == before
