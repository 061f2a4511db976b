"""Sinks that misbehave on command, and what the real ones have stored."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path

from stageflow_actors import InMemoryEventSink


class RaisingSink:
    """Raises for every event."""

    def __init__(self, error=OSError("disk full")):
        self.error = error

    async def emit(self, *, type, data):
        raise self.error

    def try_emit(self, *, type, data):
        raise self.error


class GatedSink(InMemoryEventSink):
    """Keeps an event waiting, without blocking its loop, until ``open``; says when it has one."""

    def __init__(self):
        super().__init__()
        self.has_one = threading.Event()
        self._gate = Future()
        self._gate.set_running_or_notify_cancel()

    def open(self):
        if not self._gate.done():
            self._gate.set_result(None)

    async def emit(self, *, type, data):
        self.has_one.set()
        await asyncio.wrap_future(self._gate)
        self.try_emit(type=type, data=data)


def lines_of(path):
    """The events in a JSONL file; fails on a line that is not strict JSON."""

    def refuse(name):
        raise ValueError(f"{name} is not JSON")

    text = Path(path).read_bytes().decode("ascii")
    assert not text or text.endswith("\n")
    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]


def rows_of(path):
    """Type and data of the events in a database, as another process would read them."""
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT type, data FROM events ORDER BY id").fetchall()
    return [(type_, json.loads(data)) for type_, data in rows]
