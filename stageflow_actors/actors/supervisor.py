"""``Supervisor``: the Ray actor that owns one deployment: its stage actors and all its runs.

It runs no user code and imports no user module. User data passes through as bytes.
"""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import ray

from stageflow_actors.actors.codec import Payload
from stageflow_actors.actors.control import CONTROL, EVENTS, WorkLoop
from stageflow_actors.actors.failures import Failure
from stageflow_actors.actors.messages import Envelope, RunRequest, pack, unpack
from stageflow_actors.actors.run import CLOSED, Run
from stageflow_actors.actors.stage_group import StageGroup
from stageflow_actors.model.events import Event
from stageflow_actors.model.plan import Plan
from stageflow_actors.model.settings import Settings

_MAX_EARLY_CANCELS = 10_000
_ARRIVAL_S = 1.0


class Supervisor:
    """Decides and delegates: every run is a ``Run``, every stage a ``StageActor`` of its own.

    The stage actors belong to this process. If it dies, Ray ends them with it.
    """

    def __init__(self, plan: Plan, code: Sequence[Payload], settings: Settings) -> None:
        self._plan = plan
        self._settings = settings
        self._group = StageGroup(plan, code, settings)
        self._runs: dict[str, Run] = {}
        # Ray may deliver what is about a run before the request for it.
        self._early_cancels: OrderedDict[str, str] = OrderedDict()
        self._awaited: dict[str, asyncio.Event] = {}
        self._is_closing = False
        self._work = WorkLoop()

    async def open(self) -> dict[str, Failure]:
        """Start every stage, in parallel. Returns those that failed, by name."""
        self._work.adopt()
        return await self._group.start()

    async def run(self, packed: bytes) -> bytes:
        """Execute a ``RunRequest`` to its verdict; answer with the ``RunReport``."""
        request: RunRequest = unpack(packed)
        cancelled = self._early_cancels.pop(request.run, None)
        if self._is_closing:
            cancelled = CLOSED
        if request.cancelled is not None:
            cancelled = request.cancelled
        bodies = _RemoteBodies(self._group, request)
        run = self._runs[request.run] = Run(self._plan, bodies, self._settings.max_events_per_run)
        run.begin(cancelled)
        if request.run in self._awaited:
            self._awaited.pop(request.run).set()
        try:
            return pack(await run.ended)
        finally:
            del self._runs[request.run]

    @ray.method(concurrency_group=CONTROL)
    async def cancel(self, run: str, reason: str) -> None:
        """Ask a run to stop."""
        await self._work.run(self._cancel(run, reason))

    @ray.method(concurrency_group=EVENTS)
    async def events(self, run: str, after: int) -> tuple[tuple[Event, ...], bool]:
        """Events of a live run with ``seq > after``, once there are any; the flag says the last.

        Nothing, and no last, of a run that is not here: its request may still be on its way, or its
        report, with all its events, may have left.
        """
        return await self._work.run(self._events(run, after))

    @ray.method(concurrency_group=CONTROL)
    async def describe(self) -> dict[str, Any]:
        """Processes and counters."""
        return await self._work.run(self._describe())

    @ray.method(concurrency_group=CONTROL)
    async def close(self) -> None:
        """Cancel every run, wait for the verdicts within the time limit, and stop the stages.

        A run whose stage does not stop in time ends when the process of that stage is killed.
        """
        await self._work.run(self._close())

    async def _cancel(self, run: str, reason: str) -> None:
        live = self._runs.get(run)
        if live is not None:
            live.cancel(reason)
            return
        self._early_cancels[run] = reason
        if len(self._early_cancels) > _MAX_EARLY_CANCELS:
            self._early_cancels.popitem(last=False)

    async def _events(self, run: str, after: int) -> tuple[tuple[Event, ...], bool]:
        live = self._runs.get(run) or await self._arrival_of(run)
        return ((), False) if live is None else await live.log.wait(after)

    async def _arrival_of(self, run: str) -> Run | None:
        arrival = self._awaited.setdefault(run, asyncio.Event())
        try:
            await asyncio.wait_for(arrival.wait(), _ARRIVAL_S)
        except TimeoutError:
            self._awaited.pop(run, None)
        return self._runs.get(run)

    async def _describe(self) -> dict[str, Any]:
        return {
            "supervisor_pid": os.getpid(),
            "live_runs": len(self._runs),
            "stages": self._group.describe(),
            "calls_to_stages": self._group.calls,
        }

    async def _close(self) -> None:
        self._is_closing = True
        ends = [run.ended for run in self._runs.values()]
        for run in self._runs.values():
            run.cancel(CLOSED)
        if ends:
            await asyncio.wait(ends, timeout=self._settings.stop_timeout_s)
        await self._group.stop()
        if ends:
            await asyncio.wait(ends, timeout=self._settings.stop_timeout_s)


class _RemoteBodies:
    """The bodies of one run: one call to a stage actor each."""

    __slots__ = ("_group", "_interrupts", "_request")

    def __init__(self, group: StageGroup, request: RunRequest) -> None:
        self._group = group
        self._request = request
        self._interrupts: set[asyncio.Task[None]] = set()

    def start(self, run: Run, stage: int, attempt: int, inputs: Mapping[str, Any]) -> None:
        request = self._request
        envelope = Envelope(request.run, attempt, request.view, request.started_ms, inputs)
        self._group.execute(
            stage, envelope, lambda receipt: run.stage_ended(stage, attempt, receipt)
        )

    def interrupt(self, stage: int, attempt: int, reason: str) -> None:
        task = asyncio.ensure_future(
            self._group.interrupt(stage, self._request.run, attempt, reason)
        )
        self._interrupts.add(task)  # the loop itself holds tasks only weakly
        task.add_done_callback(self._interrupts.discard)
