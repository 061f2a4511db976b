"""``StageActor``: the Ray actor of one stage. The only process that loads the stage's code."""

from __future__ import annotations

import os
from collections import OrderedDict

import ray

from stageflow_actors.actors.codec import Payload, decode
from stageflow_actors.actors.control import CONTROL, WorkLoop
from stageflow_actors.actors.failures import Failure, failure_of, failure_to_wire
from stageflow_actors.actors.messages import Envelope, Receipt, pack, unpack
from stageflow_actors.actors.sealing import output_to_payload
from stageflow_actors.actors.stage_host import StageHost
from stageflow_actors.model.cancellation import Cancellation
from stageflow_actors.model.settings import Settings
from stageflow_actors.model.timer import PipelineTimer

ExecutionId = tuple[str, int]
"""A run and an attempt: one execution of this stage."""

_MAX_EARLY_INTERRUPTS = 10_000


class StageActor:
    """Executes envelopes, any number at a time, on its own event loop or in its threads.

    Every end comes back as a receipt, never as an exception: what a stage raises must not be
    mistaken for what happened to its process.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._host: StageHost | None = None
        self._work = WorkLoop()
        self._live: dict[ExecutionId, Cancellation] = {}
        # Ray may deliver an interrupt before the envelope that it is about.
        self._early_interrupts: OrderedDict[ExecutionId, str] = OrderedDict()

    async def prepare(self, code: Payload) -> int | Failure:
        """Load the stage and run its ``setup``; the process id, or why it failed."""
        self._work.adopt()
        try:
            stage = decode(code)
        except Exception as error:
            return failure_to_wire(failure_of(error))
        host = await StageHost.prepare(stage, self._settings)
        if isinstance(host, Failure):
            return failure_to_wire(host)
        self._host = host
        return os.getpid()

    async def execute(self, packed: bytes) -> bytes:
        """Execute an ``Envelope`` once; answer with its ``Receipt``."""
        envelope: Envelope = unpack(packed)
        assert self._host is not None, "the supervisor prepares a stage before it sends work"
        execution = (envelope.run, envelope.assignment.attempt)
        cancellation = Cancellation()
        early = self._early_interrupts.pop(execution, None)
        if early is not None:
            cancellation.request(early)
        self._live[execution] = cancellation
        try:
            timer = PipelineTimer(envelope.started_ms)
            receipt = await self._host.execute(
                envelope.view, timer, envelope.assignment, cancellation
            )
        finally:
            del self._live[execution]
        return pack(to_wire(receipt))

    @ray.method(concurrency_group=CONTROL)
    async def interrupt(self, run: str, attempt: int, reason: str) -> bool:
        """Tell an execution to stop; whether it is doing so.

        One in a thread is asked through ``ctx``, and may or may not. One whose event loop is
        blocked never answers.
        """
        return await self._work.run(self._interrupt(run, attempt, reason))

    @ray.method(concurrency_group=CONTROL)
    async def teardown(self) -> None:
        """Run the stage's ``teardown``."""
        if self._host is not None:
            await self._work.run(self._host.teardown())

    async def _interrupt(self, run: str, attempt: int, reason: str) -> bool:
        live = self._live.get((run, attempt))
        if live is None:
            self._early_interrupts[run, attempt] = reason
            if len(self._early_interrupts) > _MAX_EARLY_INTERRUPTS:
                self._early_interrupts.popitem(last=False)
            return False
        live.request(reason)
        return self._host is not None and not self._host.is_blocking


def to_wire(receipt: Receipt) -> Receipt:
    """``receipt`` with everything of the user's as bytes, for another process."""
    output, failure = receipt.output, receipt.failure
    if output is not None:
        receipt = receipt._replace(output=output_to_payload(output))
    if failure is not None:
        receipt = receipt._replace(failure=failure_to_wire(failure))
    return receipt
