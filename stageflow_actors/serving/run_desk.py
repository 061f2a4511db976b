"""``RunDesk``: the runs of one deployment, for clients."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from uuid import UUID

from stageflow_actors.actors.deployment import Deployment
from stageflow_actors.errors import StageflowError
from stageflow_actors.model.pipeline_context import PipelineContext
from stageflow_actors.security import AuthInterceptor
from stageflow_actors.serving.claims import Claims
from stageflow_actors.serving.desk import Entries, Reading, RunOrder, Shown, seen_by
from stageflow_actors.serving.faults import SOON_S, Fault, ProblemError, too_fast
from stageflow_actors.serving.problems import problem_of
from stageflow_actors.serving.records import KeptRun, RunRecord, refusal_of
from stageflow_actors.serving.run_book import BookStats, RunBook
from stageflow_actors.serving.run_rate import RunRate
from stageflow_actors.serving.served import ServedPipeline
from stageflow_actors.serving.settings import ServingSettings
from stageflow_actors.telemetry.exporting import Noticed

_GONE = "the client disconnected"
_BY_REQUEST = "the client asked"
_CLOSING = "the service is shutting down"


class RunDesk:
    """A ``Desk`` in the process that holds the deployment."""

    def __init__(
        self, name: str, served: ServedPipeline, deployment: Deployment, settings: ServingSettings
    ) -> None:
        self._name = name
        self._served = served
        self._deployment = deployment
        self._settings = settings
        self._claims = Claims()
        self._book = RunBook(settings, self._claims.forget)
        per_s = settings.max_runs_per_s_per_tenant
        self._rate = None if per_s is None else RunRate(per_s)
        self._is_taking = True
        self._sweeping: asyncio.Task[None] | None = None
        self._noticed = Noticed()

    @property
    def is_ready(self) -> bool:
        """Whether it takes runs."""
        return self._is_taking and self._deployment.is_open

    def open(self) -> None:
        """From now on let go of runs that were kept for long enough."""
        self._sweeping = asyncio.create_task(self._sweep())

    async def close(self) -> None:
        """Take no more; let live runs end within ``drain_s``, and cancel those that do not."""
        self._is_taking = False
        if self._sweeping is not None:
            self._sweeping.cancel()
        endings = [each.ending for each in self._book.live() if each.ending is not None]
        if endings:
            await asyncio.wait(endings, timeout=self._settings.drain_s)
        for record in self._book.live():
            await record.cancel(_CLOSING)

    def live(self) -> list[UUID]:
        """The ids of runs that have not ended."""
        return [record.run_id for record in self._book.live()]

    async def kept(self) -> list[KeptRun]:
        """The runs that have ended, for whoever takes over; those that were cancelled at the end
        have ``drain_s`` to get there.
        """
        endings = [each.ending for each in self._book.live() if each.ending is not None]
        if endings:
            await asyncio.wait(endings, timeout=self._settings.drain_s)
        return [
            record.kept(self._claims.key_of(record), age_s)
            for record, age_s in self._book.ended_runs()
        ]

    def take(self, runs: Iterable[KeptRun]) -> None:
        """Take over runs that have ended elsewhere, and the keys that stand for them."""
        taken = []
        for kept in runs:
            if self._book.known(str(kept.run_id)) is not None:
                continue  # told twice
            record = RunRecord.of(kept, self._settings)
            if kept.key is not None:
                self._claims.take(record, kept.key)
            taken.append((record, kept.age_s))
        self._book.take(taken)

    def stats(self) -> BookStats:
        """What is here, in numbers."""
        return self._book.stats()

    def reserve(self, tenant: str) -> None:
        """As ``Desk.reserve``. None is held here: a run counts when it is started."""
        self._admit(tenant, RunRate.wait_s)

    async def run(self, order: RunOrder, wait_s: float | None) -> Shown:
        """As ``Desk.run``."""
        if order.key is None:
            record = await self._start(order)
        else:
            tenant = order.caller.tenant
            record = await self._claims.once(tenant, order.key, lambda: self._start(order))
        if wait_s != 0 and not record.is_ended:
            await self._wait(record, wait_s, cancels=order.ends_with_its_client)
        if record.refusal is not None:
            raise problem_of(record.refusal)
        return record.shown()

    async def look(self, run_id: str, tenant: str) -> Shown | None:
        """As ``Desk.look``."""
        record = self._book.find(run_id, tenant)
        return None if record is None else record.shown()

    async def cancel(self, run_id: str, tenant: str) -> Shown | None:
        """As ``Desk.cancel``."""
        record = self._book.find(run_id, tenant)
        if record is None:
            return None
        if not await record.cancel(_BY_REQUEST):
            raise ProblemError(Fault.RUN_ENDED, run_id=record.run_id)
        return record.shown()

    async def read(self, reading: Reading) -> Entries | None:
        """As ``Desk.read``."""
        record = self._book.find(reading.run_id, reading.tenant)
        if record is None:
            return None
        record.watch()
        if reading.reader is not None:
            record.pace(reading.reader, min(reading.after, len(record.tape)))
        due, gathers = time.monotonic() + reading.wait_s, reading.wait_s > 0
        after = reading.after
        while True:
            found = record.tape.after(after, reading.max_bytes)
            shown = seen_by(found, reading.audiences)
            last = found[-1].number if found else after
            is_over = record.is_ended and last == len(record.tape)
            read = Entries(shown, last, record.tape.bytes_after(last), is_over)
            if is_over or _is_urgent(read):
                return read
            if found and not shown:  # there is nothing in it for this reader
                after = last
                continue
            if shown and gathers:
                due, gathers = time.monotonic() + self._settings.event_delay_s, False
            left_s = due - time.monotonic()
            if left_s <= 0:
                return read
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await record.news()

    def leave_all(self, is_gone: Callable[[str], bool]) -> None:
        """Take note that every reader is gone of whom that is so."""
        for record in self._book.live():
            record.leave_all(is_gone)

    async def leave(self, run_id: str, reader: str) -> None:
        """As ``Desk.leave``."""
        record = self._book.known(run_id)
        if record is not None:
            record.leave(reader)

    def has_key(self, tenant: str, key: str) -> bool:
        """Whether a run of this desk has that ``Idempotency-Key``."""
        return (tenant, key) in self._claims

    async def _start(self, order: RunOrder) -> RunRecord:
        caller = order.caller
        self._admit(caller.tenant, RunRate.take)
        try:
            handle = await self._deployment.start(_context_of(self._served, order))
        except StageflowError as error:
            raise problem_of(error) from error
        record = RunRecord(
            handle.run_id, self._name, caller.tenant, handle, self._settings, order.prefix
        )
        if order.trace is not None and self._noticed.tracers is not None:
            record.trace_id = order.trace.trace_id
        self._book.add(record)
        if order.is_watched or order.reader is not None:
            record.watch()  # before its stages stream
        if order.reader is not None:
            record.pace(order.reader, 0)
        if handle.is_done:
            refusal = refusal_of(await handle.result())
            if refusal is not None:
                self._book.forget(record)
                raise problem_of(refusal)
        record.conclude(self._book.ended)
        return record

    async def _wait(self, record: RunRecord, limit_s: float | None, *, cancels: bool) -> None:
        """Until the run has ended, or ``limit_s`` is up."""
        assert record.ending is not None, "it was started"
        record.waiting += 1
        try:
            await asyncio.wait({record.ending}, timeout=limit_s)
        except asyncio.CancelledError:
            if cancels:
                await record.cancel(_GONE)
            raise
        finally:
            record.waiting -= 1

    def _admit(self, tenant: str, rated: Callable[[RunRate, str, float], float | None]) -> None:
        if not self._is_taking:
            raise ProblemError(Fault.NOT_READY, retry_after_s=SOON_S)
        if self._book.live_of(tenant) >= self._settings.max_live_runs_per_tenant:
            raise ProblemError(Fault.TOO_MANY_RUNS, retry_after_s=SOON_S)
        if self._rate is not None:
            refused = too_fast(rated(self._rate, tenant, time.monotonic()))
            if refused is not None:
                raise refused

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self._settings.sweep_s)
            self._book.sweep()


def _is_urgent(read: Entries) -> bool:
    """Whether it is to be had at once: a piece is in it, or there is more than fits."""
    is_full = bool(read.entries and read.unread_bytes)
    return is_full or any(entry.audience is not None for entry in read.entries)


def _context_of(served: ServedPipeline, order: RunOrder) -> PipelineContext:
    parts = order.body.parts()
    caller = order.caller
    if any(isinstance(each, AuthInterceptor) for each in served.graph.admissions):
        # The pipeline has a check of its own, which takes the token away again.
        parts["data"] = {**order.body.data, "_auth_token": caller.token}
    context = PipelineContext.create(
        **parts,
        topology=served.graph.name,
        user_id=caller.user_id,
        org_id=caller.org_id,
        timeout=order.timeout_s,
    )
    context.trace = order.trace
    return context
