"""Exporters that misbehave on command."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future

from stageflow_actors import AnalyticsEvent

SOON = {"retry_pause_s": 0.001, "max_retry_pause_s": 0.01}
"""Pauses that no test waits for."""


def event(number, type_="t"):
    return AnalyticsEvent(type_, data={"n": number})


def events(*numbers):
    return [event(number) for number in numbers]


def numbers(kept):
    return [each.data["n"] for each in kept]


class Keeping:
    """Keeps every batch."""

    def __init__(self):
        self.batches = []
        self.closed = 0
        self.changed = threading.Condition()

    @property
    def kept(self):
        return [each for batch in self.batches for each in batch]

    async def export(self, events):
        with self.changed:
            self.batches.append(list(events))
            self.changed.notify_all()

    async def close(self):
        self.closed += 1

    async def has(self, count):
        """Wait until so many events are here."""

        def wait():
            with self.changed:
                return self.changed.wait_for(lambda: len(self.kept) >= count, 15)

        assert await asyncio.to_thread(wait)


class Failing(Keeping):
    """Raises for the first ``times`` attempts, without end where that is ``None``."""

    def __init__(self, times=None, error=None):
        super().__init__()
        self.left, self.error = times, error or OSError("down")
        self.attempts = []
        self.tried = threading.Event()

    def heal(self):
        self.left = 0

    async def export(self, events):
        self.attempts.append(numbers(events) if "n" in events[0].data else len(events))
        self.tried.set()
        if self.left != 0:
            self.left = self.left and self.left - 1
            raise self.error
        await super().export(events)


class Gated(Keeping):
    """Holds a batch until ``open``; says when it has one."""

    def __init__(self):
        super().__init__()
        self.has_one = threading.Event()
        self.cancelled = 0
        self._gate = Future()
        self._gate.set_running_or_notify_cancel()

    def open(self):
        if not self._gate.done():
            self._gate.set_result(None)

    async def holds_one(self):
        assert await asyncio.to_thread(self.has_one.wait, 60)

    async def export(self, events):
        self.has_one.set()
        try:
            await asyncio.wrap_future(self._gate)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        await super().export(events)


class Blocking(Keeping):
    """Blocks its thread, as nothing asynchronous may, until ``release``."""

    def __init__(self):
        super().__init__()
        self.has_one, self.may_go = threading.Event(), threading.Event()

    async def export(self, events):
        self.has_one.set()
        assert self.may_go.wait(60)
        await super().export(events)


def assert_exact(exporter, **expected):
    """The account is exact, and says so; counts that are not named are 0."""
    told = exporter.statistics
    assert told.accepted == told.exported + told.dropped + told.left + told.buffered
    names = ("accepted", "exported", "dropped", "left", "buffered", "waiting", "refused")
    assert {name: getattr(told, name) for name in names} == dict.fromkeys(names, 0) | expected
