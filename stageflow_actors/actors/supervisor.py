"""``Supervisor``: the Ray actor that owns one deployment: its stage actors and all its runs.

It runs no user code and imports no user module. User data passes through as bytes.
"""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import ray

from stageflow_actors.actors.bodies import Ends
from stageflow_actors.actors.codec import Payload
from stageflow_actors.actors.control import CONTROL, EVENTS, WorkLoop
from stageflow_actors.actors.failures import Failure, failure_of, failure_to_wire
from stageflow_actors.actors.gates import GatedBodies, Gates
from stageflow_actors.actors.idempotency import IdempotencyDesk
from stageflow_actors.actors.messages import Assignment, Envelope, RunRequest, pack, unpack
from stageflow_actors.actors.run import CLOSED, Run
from stageflow_actors.actors.stage_group import StageGroup
from stageflow_actors.actors.start_hooks import HookDesk, Questions
from stageflow_actors.actors.stores import open_store
from stageflow_actors.model.events import Event
from stageflow_actors.model.plan import Plan
from stageflow_actors.model.settings import Settings
from stageflow_actors.ports import IdempotencyStore

_MAX_EARLY_CANCELS = 10_000
_ARRIVAL_S = 1.0


class Supervisor:
    """Decides and delegates: every run is a ``Run``, every stage a ``StageActor`` of its own.

    The stage actors belong to this process. If it dies, Ray ends them with it.
    """

    def __init__(
        self,
        plan: Plan,
        code: Sequence[Payload],
        settings: Settings,
        store_path: str | None,
    ) -> None:
        self._plan = plan
        self._settings = settings
        self._group = StageGroup(plan, code, settings)
        self._store_path = store_path
        self._store: IdempotencyStore | None = None
        self._runs: dict[str, Run] = {}
        self._desks: OrderedDict[str, HookDesk] = OrderedDict()
        # Ray may deliver what is about a run before the request for it.
        self._early_cancels: OrderedDict[str, str] = OrderedDict()
        self._awaited: dict[str, asyncio.Event] = {}
        self._is_closing = False
        self._work = WorkLoop()

    async def open(self) -> dict[str, Failure]:
        """Start every stage, in parallel. Returns those that failed, by name.

        Under the name of none stands why the idempotency store could not be opened.
        """
        self._work.adopt()
        try:
            self._store = open_store(self._store_path)
        except Exception as error:
            return {"": failure_to_wire(failure_of(error))}
        desk = IdempotencyDesk(self._store, self._settings.idempotency_lease_s)
        self._gates = Gates(self._plan, desk, lambda error: failure_to_wire(failure_of(error)))
        return await self._group.start()

    async def run(self, packed: bytes) -> bytes:
        """Execute a ``RunRequest`` to its verdict; answer with the ``RunReport``."""
        request: RunRequest = unpack(packed)
        cancelled = self._early_cancels.pop(request.run, None)
        if self._is_closing:
            cancelled = CLOSED
        if request.cancelled is not None:
            cancelled = request.cancelled
        if request.has_hooks:
            self._desks[request.run] = HookDesk()
        desk = self._desks.get(request.run)
        remote = _RemoteBodies(self._group, request)
        bodies = GatedBodies(remote, self._gates, request.keys, desk)
        run = self._runs[request.run] = Run(self._plan, bodies, self._settings)
        run.begin(cancelled, request.limit_s)
        if request.run in self._awaited:
            self._awaited.pop(request.run).set()
        try:
            return pack(await run.ended)
        finally:
            del self._runs[request.run]
            bodies.close()
            if len(self._desks) > _MAX_EARLY_CANCELS:  # of runs whose hooks nobody asked for
                self._desks.popitem(last=False)

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

    @ray.method(concurrency_group=EVENTS)
    async def questions(self, run: str) -> Questions:
        """Stages of a run that are to start, or are skipped, for its hooks.

        Nothing of a run that is not here, and no last: its request may still be on its way.
        """
        return await self._work.run(self._questions(run))

    @ray.method(concurrency_group=CONTROL)
    async def answer(self, run: str, number: int, packed: bytes | None) -> None:
        """Let a stage start; with a packed ``Receipt`` it ends with that instead."""
        await self._work.run(self._answer(run, number, packed))

    @ray.method(concurrency_group=CONTROL)
    async def failure_of(self, run: str, stage: str) -> Failure | None:
        """Why a stage of a live run failed; nothing, once its report has left."""
        return await self._work.run(self._failure_of(run, stage))

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

    async def _questions(self, run: str) -> Questions:
        if run not in self._desks:
            await self._arrival_of(run)
        desk = self._desks.get(run)
        if desk is None:
            return (), False
        questions, is_last = await desk.questions()
        if is_last:
            self._desks.pop(run, None)
        return questions, is_last

    async def _answer(self, run: str, number: int, packed: bytes | None) -> None:
        desk = self._desks.get(run)
        if desk is not None:
            desk.answer(number, None if packed is None else unpack(packed))

    async def _failure_of(self, run: str, stage: str) -> Failure | None:
        live = self._runs.get(run)
        return None if live is None else live.failure_of(stage)

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
            **self._gates.describe(),
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
        if self._store is not None:
            await self._store.close()


class _RemoteBodies:
    """The bodies of one run: one call to a stage actor each."""

    __slots__ = ("_group", "_interrupts", "_request")

    def __init__(self, group: StageGroup, request: RunRequest) -> None:
        self._group = group
        self._request = request
        self._interrupts: set[asyncio.Task[None]] = set()

    def start(self, ends: Ends, stage: int, assignment: Assignment) -> bool:
        request, attempt = self._request, assignment.attempt
        envelope = Envelope(request.run, request.view, request.started_ms, assignment)
        return self._group.execute(
            stage,
            envelope,
            deliver=lambda receipt: ends.stage_ended(stage, attempt, receipt),
            on_begun=lambda: ends.began(stage, attempt),
        )

    def interrupt(self, ends: Ends, stage: int, attempt: int, reason: str) -> None:
        task = asyncio.ensure_future(self._interrupt(ends, stage, attempt, reason))
        self._interrupts.add(task)  # the loop itself holds tasks only weakly
        task.add_done_callback(self._interrupts.discard)

    def skipped(self, ends: Ends, stage: int) -> None:
        pass

    def decided(self, ends: Ends) -> None:
        pass

    def kill(self, ends: Ends, stage: int, attempt: int) -> None:
        self._group.kill(stage, (self._request.run, attempt))

    async def _interrupt(self, ends: Ends, stage: int, attempt: int, reason: str) -> None:
        if await self._group.interrupt(stage, self._request.run, attempt, reason):
            ends.stop_heard(stage, attempt)
