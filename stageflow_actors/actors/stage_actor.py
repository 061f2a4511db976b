"""``StageActor``: the Ray actor of one host. The only process that loads the code of its stages."""

from __future__ import annotations

import asyncio
import os
import pickle
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING

import ray

from stageflow_actors.actors.codec import FarOutput, Payload, decode
from stageflow_actors.actors.collecting import keep_loaded
from stageflow_actors.actors.control import CONTROL, EVENTS, WorkLoop
from stageflow_actors.actors.direct_door import Direct
from stageflow_actors.actors.exchange import Exchange, answered
from stageflow_actors.actors.failures import Failure, failure_of, failure_to_wire
from stageflow_actors.actors.far_outputs import brought_near, has_far, to_parts
from stageflow_actors.actors.farewell import go_with
from stageflow_actors.actors.gpus import hide_gpus
from stageflow_actors.actors.lease import Lease
from stageflow_actors.actors.messages import Credit, Envelope, Execution, Receipt
from stageflow_actors.actors.parcels import Parcel, Respond
from stageflow_actors.actors.stage_exports import begin_exports, end_exports
from stageflow_actors.actors.stage_host import StageHost
from stageflow_actors.actors.stage_stream import OpenStreams
from stageflow_actors.actors.ties import Ties
from stageflow_actors.actors.wire import (
    Wire,
    envelope_of,
    receipt_to_wire,
    size_of,
    without_objects,
)
from stageflow_actors.engine.facts import Ending
from stageflow_actors.errors import RuntimeFault
from stageflow_actors.model.cancellation import Cancellation
from stageflow_actors.model.settings import Settings
from stageflow_actors.model.timer import PipelineTimer
from stageflow_actors.telemetry.log_environment import begin_logs

if TYPE_CHECKING:
    from stageflow_actors.actors.nursery import Nursery
    from stageflow_actors.actors.ray_line import Parent
    from stageflow_actors.engine.leases import Follower
    from stageflow_actors.model.stats import BatchStats
    from stageflow_actors.telemetry.configured import Configured

_MAX_EARLY_INTERRUPTS = 10_000


class StageActor(Direct):
    """Executes envelopes, any number at a time, on its own event loop or in its threads.

    Every end comes back as a receipt, never as an exception: what a stage raises must not be
    mistaken for what happened to its process.
    """

    def __init__(self, settings: Settings, parent: Parent | None) -> None:
        self._settings = settings
        self._epoch = 0
        self._parent = parent
        self._nursery: Nursery | None = None
        self._hosts: dict[int, StageHost] = {}
        self._preparing: asyncio.Task[int | tuple[int, Failure]] | None = None
        self._leaving: asyncio.Task[None] | None = None
        self._exports: Configured | None = None
        self._work = WorkLoop()
        self._context = copy_context()
        self._exchange: Exchange | None = None
        self._live: dict[Execution, tuple[Cancellation, asyncio.Task[None], Lease | None]] = {}
        self._streams = OpenStreams(settings)
        self._far: dict[Execution, Payload] = {}
        self._followers: Mapping[int, tuple[Follower, ...]] = {}
        # Ray may deliver an interrupt before the envelope that it is about.
        self._early_interrupts: OrderedDict[Execution, str] = OrderedDict()

    async def hello(self) -> None:
        """Answer: there was room for this process."""

    async def prepare(
        self,
        code: Mapping[int, Payload],
        followers: Mapping[int, tuple[Follower, ...]],
        epoch: int,
    ) -> int | tuple[int, Failure]:
        """Load the stages and run their ``setup``, once; the process id, or which one failed, why.

        From now on this is process ``epoch`` of that host. ``followers`` are what it may begin
        ahead of a run that has leased it.
        """
        self._work.adopt()
        self._epoch = epoch
        self._followers = followers
        if self._exchange is None:
            self._exchange = Exchange(self._begin, self._settings)
            await self.open_door(self._take_parcel, self._settings, self._left_alone)
        if self._parent is not None and self._nursery is None:
            self._nursery = open_nursery(self._parent, self._settings)
        if self._preparing is None:
            self._preparing = asyncio.ensure_future(self._prepare(code))
        return await asyncio.shield(self._preparing)

    async def exchange(self, epoch: int, parcel: Parcel) -> Parcel:
        """Take the messages of a ``Channel``, ``Envelope`` and ``Credit``; answer with what has
        ended, or was streamed out.

        Raises:
            RuntimeFault: it was meant for another process of the host.
        """
        return await answered(partial(self._take_parcel, epoch, parcel))

    @ray.method(concurrency_group=CONTROL, num_returns=2)
    async def take(self, execution: Execution) -> tuple[list[pickle.PickleBuffer], bool]:
        """Give a big output away: its parts, which Ray stores, and whether it was here."""
        output = self._far.pop(execution, None)
        return [] if output is None else to_parts(output), output is not None

    @ray.method(concurrency_group=EVENTS)
    async def live(self) -> None:
        """Never answer: whoever waits for it learns of the end of this process."""
        await asyncio.Event().wait()

    @ray.method(concurrency_group=CONTROL)
    async def interrupt(self, reasons: Mapping[Execution, str]) -> list[Execution]:
        """Tell executions to stop, each with its reason; which of them are doing so.

        One in a thread is asked through ``ctx``, and may or may not. One whose event loop is
        blocked never answers.
        """
        return await self._work.run(self._interrupt(reasons))

    @ray.method(concurrency_group=CONTROL)
    async def teardown(self, stages: Sequence[int]) -> dict[int, BatchStats]:
        """Run the ``teardown`` of these stages, each once; what they have counted of batches."""
        return await self._work.run(self._tear_down(stages))

    @ray.method(concurrency_group=CONTROL)
    async def batches(self) -> dict[int, BatchStats]:
        """What each stage that takes batches has counted; a blocked event loop tells it, too."""
        return _batches_of(dict(self._hosts))

    def _take_parcel(self, epoch: int, parcel: Parcel, respond: Respond) -> None:
        if epoch != self._epoch or self._exchange is None:
            raise RuntimeFault(
                f"Executions for process {epoch} of a host came to process {self._epoch}."
            )
        self._exchange.take(parcel, respond)

    def _left_alone(self, supervisor: int) -> None:
        """Ray, too, ends what a dead supervisor has left, but takes its time.

        It may have it where nothing is left to do: its own end is not reported as a crash.
        """
        if self._hosts:
            self._leaving = asyncio.ensure_future(go_with(supervisor))

    async def _tear_down(self, stages: Sequence[int]) -> dict[int, BatchStats]:
        leaving = {stage: self._hosts.pop(stage) for stage in stages if stage in self._hosts}
        await asyncio.gather(*(host.teardown() for host in leaving.values()))
        if not self._hosts:
            await end_exports(self._exports)
        return _batches_of(leaving)

    async def _prepare(self, code: Mapping[int, Payload]) -> int | tuple[int, Failure]:
        hide_gpus()
        self._exports = begin_exports()
        begin_logs()
        loaded = await asyncio.gather(*map(self._load, code.values()))
        hosts = dict(zip(code, loaded, strict=True))
        self._hosts = {stage: host for stage, host in hosts.items() if isinstance(host, StageHost)}
        for stage, host in hosts.items():
            if isinstance(host, Failure):
                await self._tear_down(tuple(self._hosts))
                return stage, failure_to_wire(host)
        keep_loaded()
        return os.getpid()

    async def _load(self, code: Payload) -> StageHost | Failure:
        try:
            stage = decode(code)
        except Exception as error:
            return failure_of(error)
        return await StageHost.prepare(stage, self._settings)

    def _begin(self, message: Wire | Credit) -> None:
        if isinstance(message, Credit):
            self._streams.give_back(*message)
            return
        envelope = envelope_of(message)
        lease = None
        if envelope.assignment.is_leased:
            lease = Lease(envelope, self._followers, self._start, self._tell)
        self._start(envelope, lease)

    def _start(self, envelope: Envelope, lease: Lease | None) -> None:
        execution = (envelope.run, envelope.stage, envelope.assignment.attempt)
        cancellation = Cancellation()
        if self._early_interrupts:
            early = self._early_interrupts.pop(execution, None)
            if early is not None:
                cancellation.request(early)
        # Each in a context of its own: what a stage sets in that is not there for the next one.
        task = self._work.loop.create_task(
            self._execute(execution, envelope, cancellation), context=self._context.copy()
        )
        self._live[execution] = cancellation, task, lease

    async def _execute(
        self, execution: Execution, envelope: Envelope, cancellation: Cancellation
    ) -> None:
        """To its receipt; anything else is a defect of ours, and a receipt, too."""
        started_at = time.time()
        spawner = None if self._nursery is None else self._nursery.spawner(execution)
        try:
            host = self._hosts[envelope.stage]
            timer = PipelineTimer(envelope.started_ms)
            work = envelope.assignment
            if has_far(work):
                work = await brought_near(work)
            self._streams.begin(execution)
            opens = partial(
                self._streams.open,
                execution,
                host.name,
                self._stream_out,
                cancellation,
                host.loop,
                host.batches is not None,
            )
            ties = Ties(spawner, opens)
            receipt = await host.execute(envelope.view, timer, work, cancellation, ties)
            receipt = self._keep_far(execution, without_objects(receipt))
        except BaseException as error:
            failure = failure_to_wire(failure_of(error))
            receipt = Receipt.failed(failure, started_at, time.time(), ending=Ending.LOST)
        self._streams.close(execution)
        _cancellation, _task, lease = self._live.pop(execution)
        if lease is None:
            self._tell(execution, receipt, more=False)
        else:
            lease.ended(execution, receipt)

    def _keep_far(self, execution: Execution, receipt: Receipt) -> Receipt:
        """Leave a big output here, for the supervisor to take."""
        output = receipt.output
        if type(output) is not Payload:
            return receipt
        if output.size <= self._settings.max_inline_bytes:
            return receipt._replace(output=output.in_bytes()) if output.buffers else receipt
        self._far[execution] = output
        return receipt._replace(output=FarOutput(None, output.size))

    def _stream_out(self, execution: Execution, audience: str, data: Payload) -> None:
        assert self._exchange is not None, "it has brought the envelope"
        _cancellation, _task, lease = self._live[execution]
        if lease is not None:
            lease.flush()  # the run is to know that this has begun
        self._exchange.tell((execution, audience, tuple(data)), data.size)

    def _tell(self, execution: Execution, receipt: Receipt, *, more: bool) -> None:
        assert self._exchange is not None, "it has brought the envelope"
        reply, size = (execution, receipt_to_wire(receipt)), size_of(receipt)
        self._exchange.tell(reply, size, is_last=not (more or self._live))

    async def _interrupt(self, reasons: Mapping[Execution, str]) -> list[Execution]:
        heeding = []
        for execution, reason in reasons.items():
            live = self._live.get(execution)
            if live is None:
                self._early_interrupts[execution] = reason
                if len(self._early_interrupts) > _MAX_EARLY_INTERRUPTS:
                    self._early_interrupts.popitem(last=False)
                continue
            cancellation, _task, lease = live
            if lease is not None:
                lease.stop()
            cancellation.request(reason)
            if not self._hosts[execution[1]].is_blocking:
                heeding.append(execution)
        return heeding


def _batches_of(hosts: Mapping[int, StageHost]) -> dict[int, BatchStats]:
    counts = {stage: host.batches for stage, host in hosts.items()}
    return {stage: each for stage, each in counts.items() if each is not None}


def open_nursery(parent: Parent, settings: Settings) -> Nursery:
    """Where the stages of this process have their children; not even imported without a registry:
    a process that takes the place of a dead one has to be there soon.
    """
    from stageflow_actors.actors.nursery import Nursery
    from stageflow_actors.actors.ray_line import RayLine

    line = RayLine(parent, settings)
    return Nursery(parent.doors, line.find_door, line, settings)
