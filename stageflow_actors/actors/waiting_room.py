"""``WaitingRoom``: where the runs of a deployment wait for their turn, or are refused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Generic, NamedTuple, TypeVar

from stageflow_actors.engine.admission import Admission, Admitted, Limits, Refused
from stageflow_actors.model.settings import Settings
from stageflow_actors.model.stats import RunStats

Item = TypeVar("Item")


class Turn(NamedTuple, Generic[Item]):
    """A run whose turn it is: how long it has waited, and why it was cancelled meanwhile."""

    item: Item
    waited_s: float
    cancelled: str | None


class _Waiting(Generic[Item]):
    __slots__ = ("item", "run", "since", "timer")

    def __init__(self, run: str, item: Item, since: float) -> None:
        self.run = run
        self.item = item
        self.since = since
        self.timer: asyncio.TimerHandle | None = None


class WaitingRoom(Generic[Item]):
    """``begin`` is called with each turn: at once, later, or when it was cancelled.

    A run whose own time is up while it waits begins then, to end at once.
    """

    def __init__(self, settings: Settings, begin: Callable[[Turn[Item]], None]) -> None:
        limits = Limits(
            settings.max_running_runs,
            settings.max_waiting_runs,
            settings.max_waiting_bytes,
            settings.max_running_runs_per_tenant,
            settings.max_waiting_runs_per_tenant,
        )
        self._admission: Admission[_Waiting[Item]] = Admission(limits, settings.background_share)
        self._limits = limits
        self._begin = begin
        self._waiting: dict[str, _Waiting[Item]] = {}

    @property
    def is_free(self) -> bool:
        """Whether whoever arrives now begins at once."""
        running, waiting = self._admission.running, self._admission.waiting
        of_tenant = self._limits.max_running_per_tenant
        return of_tenant is None and not waiting and running < self._limits.max_running

    def arrive(
        self,
        run: str,
        item: Item,
        *,
        tenant: str,
        size: int,
        is_background: bool,
        limit_s: float | None,
    ) -> Refused | None:
        """Begin the run when its turn has come; or why it is refused. ``size`` is in bytes."""
        waiting = _Waiting(run, item, time.monotonic())
        verdict = self._admission.arrive(run, tenant, size, waiting, is_background=is_background)
        if isinstance(verdict, Refused):
            return verdict
        if verdict is Admitted.RUN:
            self._begin(Turn(item, 0.0, None))
            return None
        self._waiting[run] = waiting
        if limit_s is not None:
            loop = asyncio.get_running_loop()
            waiting.timer = loop.call_later(limit_s, self._expire, run, limit_s)
        return None

    def leave(self, run: str) -> None:
        """It has ended: others may have their turn."""
        self._admission.leave(run, time.monotonic())
        while (waiting := self._admission.next()) is not None:
            del self._waiting[waiting.run]
            self._start(waiting, None)

    def cancel(self, run: str, reason: str) -> bool:
        """Begin it as cancelled, if it waits; whether it did."""
        if run not in self._waiting:
            return False
        self._take_out(run, reason)
        return True

    def close(self, reason: str) -> None:
        """Cancel all that wait."""
        for run in tuple(self._waiting):
            self._take_out(run, reason)

    def stats(self) -> RunStats:
        """How many run and wait, with how many bytes, and how many were refused so far."""
        admission = self._admission
        return RunStats(
            admission.running, admission.waiting, admission.waiting_bytes, admission.refused
        )

    def describe(self) -> dict[str, Any]:
        """The same, JSON-ready."""
        return asdict(self.stats())

    def _take_out(self, run: str, cancelled: str) -> None:
        waiting = self._waiting.pop(run)
        self._admission.leave(run, time.monotonic())
        self._start(waiting, cancelled)

    def _expire(self, run: str, limit_s: float) -> None:
        """Its timer may ring a moment early; what begins then must have no time left."""
        waiting = self._waiting.pop(run)
        self._admission.leave(run, time.monotonic())
        self._start(waiting, None, limit_s)

    def _start(
        self, waiting: _Waiting[Item], cancelled: str | None, at_least_s: float = 0.0
    ) -> None:
        if waiting.timer is not None:
            waiting.timer.cancel()
        waited_s = time.monotonic() - waiting.since
        self._begin(Turn(waiting.item, max(waited_s, at_least_s), cancelled))
