"""Every sink, for the promises that all of them keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from stageflow_actors import InMemoryEventSink
from stageflow_actors.adapters.bounded import BackpressureAwareEventSink
from stageflow_actors.adapters.jsonl import JSONLEventSink
from stageflow_actors.adapters.routing import FanOutEventSink, FilteringEventSink
from stageflow_actors.adapters.sqlite import SQLiteEventSink
from tests.adapters.doubles import RaisingSink, lines_of, rows_of


@dataclass
class Probe:
    """A sink, how to end it, and how to read what it has kept."""

    sink: Any
    finish: Any
    read: Any

    async def kept(self):
        await self.finish()
        return self.read()


def in_memory(_folder):
    return over(InMemoryEventSink, lambda sink: sink)


def over(make, keeper_of):
    """A probe of a sink that keeps events in an ``InMemoryEventSink``."""
    sink = make()

    async def finish():
        pass

    return Probe(sink, finish, lambda: [tuple(event) for event in keeper_of(sink).events])


def jsonl(folder):
    sink = JSONLEventSink(folder / "events.jsonl")

    async def finish():
        sink.close()

    def read():
        return [(line["type"], line["data"]) for line in lines_of(folder / "events.jsonl")]

    return Probe(sink, finish, read)


def sqlite(folder):
    sink = SQLiteEventSink(folder / "events.db", synchronous="OFF")

    async def finish():
        sink.close()

    return Probe(sink, finish, lambda: rows_of(folder / "events.db"))


def bounded(_folder):
    keeper = InMemoryEventSink()
    sink = BackpressureAwareEventSink(keeper)

    async def finish():
        assert await sink.stop(timeout_s=60)

    return Probe(sink, finish, lambda: [tuple(event) for event in keeper.events])


def fan_out(_folder):
    keeper = InMemoryEventSink()
    return over(lambda: FanOutEventSink(RaisingSink(), keeper), lambda _sink: keeper)


def filtering(_folder):
    keeper = InMemoryEventSink()
    return over(lambda: FilteringEventSink(keeper, include="*"), lambda _sink: keeper)


def all_together(folder):
    database, file = sqlite(folder), jsonl(folder)
    sink = BackpressureAwareEventSink(
        FanOutEventSink(FilteringEventSink(database.sink, exclude=[]), file.sink)
    )

    async def finish():
        assert await sink.stop(timeout_s=60)
        await database.finish()
        await file.finish()

    def read():
        assert database.read() == file.read()
        return file.read()

    return Probe(sink, finish, read)


@pytest.fixture(params=[in_memory, jsonl, sqlite, bounded, fan_out, filtering, all_together])
async def probe(request, tmp_path):
    probe = request.param(tmp_path)
    yield probe
    await probe.finish()
