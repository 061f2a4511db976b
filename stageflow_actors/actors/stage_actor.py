"""``StageActor``: the Ray actor of one stage. The only process that loads the stage's code."""

from __future__ import annotations

import asyncio
import os
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING

import ray

from stageflow_actors.actors.codec import Payload, decode
from stageflow_actors.actors.control import CONTROL, EVENTS, WorkLoop
from stageflow_actors.actors.failures import Failure, failure_of, failure_to_wire
from stageflow_actors.actors.kept_replies import ExecutionId, KeptReplies
from stageflow_actors.actors.messages import Envelope, Receipt, pack, unpack
from stageflow_actors.actors.sealing import output_to_payload
from stageflow_actors.actors.stage_host import StageHost
from stageflow_actors.engine.facts import Ending
from stageflow_actors.errors import RuntimeFault, StageLostError
from stageflow_actors.model.cancellation import Cancellation
from stageflow_actors.model.settings import Settings
from stageflow_actors.model.timer import PipelineTimer

if TYPE_CHECKING:
    from stageflow_actors.actors.nursery import Nursery
    from stageflow_actors.actors.ray_line import Parent

_MAX_EARLY_INTERRUPTS = 10_000


class _Live:
    """One execution under way. ``again`` is there once the same one was asked for twice."""

    __slots__ = ("again", "cancellation")

    def __init__(self) -> None:
        self.cancellation = Cancellation()
        self.again: asyncio.Future[bytes] | None = None


class StageActor:
    """Executes envelopes, any number at a time, on its own event loop or in its threads.

    Every end comes back as a receipt, never as an exception: what a stage raises must not be
    mistaken for what happened to its process. The same execution is done once, however often it is
    asked for because a reply was lost.
    """

    def __init__(self, settings: Settings, parent: Parent | None) -> None:
        self._settings = settings
        self._post = (-1, 0)
        self._parent = parent
        self._nursery: Nursery | None = None
        self._host: StageHost | None = None
        self._preparing: asyncio.Task[int | Failure] | None = None
        self._tearing_down: asyncio.Task[None] | None = None
        self._work = WorkLoop()
        self._live: dict[ExecutionId, _Live] = {}
        self._kept = KeptReplies[ExecutionId](
            settings.max_kept_receipts, settings.max_kept_reply_bytes
        )
        # Ray may deliver an interrupt before the envelope that it is about.
        self._early_interrupts: OrderedDict[ExecutionId, str] = OrderedDict()

    async def hello(self) -> None:
        """Answer: there was room for this process."""

    async def prepare(self, code: Payload, index: int, epoch: int) -> int | Failure:
        """Load the stage and run its ``setup``, once; the process id, or why it failed.

        From now on this is process ``epoch`` of that stage.
        """
        self._work.adopt()
        self._post = (index, epoch)
        if self._parent is not None and self._nursery is None:
            self._nursery = open_nursery(self._parent, self._settings)
        if self._preparing is None:
            self._preparing = asyncio.ensure_future(self._prepare(code))
        return await asyncio.shield(self._preparing)

    async def execute(self, packed: bytes) -> bytes:
        """Execute an ``Envelope`` once; answer with its ``Receipt``.

        Raises:
            RuntimeFault: it was meant for another process of the stage.
        """
        envelope: Envelope = unpack(packed)
        if (envelope.stage, envelope.epoch) != self._post:
            raise RuntimeFault(
                f"An execution for process {envelope.epoch} of stage {envelope.stage} came to "
                f"process {self._post[1]} of stage {self._post[0]}."
            )
        execution = (envelope.run, envelope.assignment.attempt)
        if execution in self._kept:
            return self._kept.find(execution) or pack(_not_kept())
        live = self._live.get(execution)
        if live is not None:
            if live.again is None:
                live.again = asyncio.get_running_loop().create_future()
            return await asyncio.shield(live.again)
        return await self._execute(execution, envelope)

    @ray.method(concurrency_group=EVENTS)
    async def live(self) -> None:
        """Never answer: whoever waits for it learns of the end of this process."""
        await asyncio.Event().wait()

    @ray.method(concurrency_group=CONTROL)
    async def beat(self) -> None:
        """Answer from the event loop that the stage runs on: it turns."""
        await self._work.run(self.hello())

    @ray.method(concurrency_group=CONTROL)
    async def interrupt(self, reasons: Mapping[ExecutionId, str]) -> list[ExecutionId]:
        """Tell executions to stop, each with its reason; which of them are doing so.

        One in a thread is asked through ``ctx``, and may or may not. One whose event loop is
        blocked never answers.
        """
        return await self._work.run(self._interrupt(reasons))

    @ray.method(concurrency_group=CONTROL)
    async def teardown(self) -> None:
        """Run the stage's ``teardown``, once."""
        await self._work.run(self._tear_down_once())

    async def _tear_down_once(self) -> None:
        if self._tearing_down is None and self._host is not None:
            self._tearing_down = asyncio.ensure_future(self._host.teardown())
        if self._tearing_down is not None:
            await asyncio.shield(self._tearing_down)

    async def _prepare(self, code: Payload) -> int | Failure:
        try:
            stage = decode(code)
        except Exception as error:
            return failure_to_wire(failure_of(error))
        host = await StageHost.prepare(stage, self._settings)
        if isinstance(host, Failure):
            return failure_to_wire(host)
        self._host = host
        return os.getpid()

    async def _execute(self, execution: ExecutionId, envelope: Envelope) -> bytes:
        assert self._host is not None, "the supervisor prepares a stage before it sends work"
        live = self._live[execution] = _Live()
        early = self._early_interrupts.pop(execution, None)
        if early is not None:
            live.cancellation.request(early)
        timer = PipelineTimer(envelope.started_ms)
        spawner = None
        if self._nursery is not None:
            run, attempt = execution
            spawner = self._nursery.spawner((run, envelope.stage, attempt))
        try:
            receipt = await self._host.execute(
                envelope.view, timer, envelope.assignment, live.cancellation, spawner
            )
            packed = pack(to_wire(receipt))
            self._kept.keep(execution, packed)
            if live.again is not None:
                live.again.set_result(packed)
        except BaseException as error:
            self._kept.keep(execution, b"")  # it must not be executed again
            if live.again is not None and not live.again.done():
                live.again.set_exception(error)
            raise
        finally:
            del self._live[execution]
        return packed

    async def _interrupt(self, reasons: Mapping[ExecutionId, str]) -> list[ExecutionId]:
        live = [execution for execution in reasons if execution in self._live]
        for execution, reason in reasons.items():
            if execution in self._live:
                self._live[execution].cancellation.request(reason)
            elif execution not in self._kept:
                self._early_interrupts[execution] = reason
                if len(self._early_interrupts) > _MAX_EARLY_INTERRUPTS:
                    self._early_interrupts.popitem(last=False)
        return [] if self._host is None or self._host.is_blocking else live


def open_nursery(parent: Parent, settings: Settings) -> Nursery:
    """Where the stages of this process have their children; not even imported without a registry:
    a process that takes the place of a dead one has to be there soon.
    """
    from stageflow_actors.actors.nursery import Nursery
    from stageflow_actors.actors.ray_line import RayLine

    line = RayLine(parent, settings)
    return Nursery(parent.doors, line.find_door, line, settings)


def _not_kept() -> Receipt:
    """Stands for the receipt of an execution that was done, told, and is not kept any more."""
    now = time.time()
    error = StageLostError(
        "The reply of the stage was lost, and is not kept any more.",
        hint="The stage has ended, nobody knows how. Raise Settings.max_kept_receipts.",
    )
    failure = failure_to_wire(failure_of(error))
    return Receipt.failed(failure, now, now, ending=Ending.LOST)


def to_wire(receipt: Receipt) -> Receipt:
    """``receipt`` with everything of the user's as bytes, for another process."""
    output, failure = receipt.output, receipt.failure
    if output is not None:
        receipt = receipt._replace(output=output_to_payload(output))
    if failure is not None:
        receipt = receipt._replace(failure=failure_to_wire(failure))
    return receipt
