"""``StageActor``: the Ray actor of one stage. The only process that loads the stage's code."""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict

from stageflow_actors.actors.codec import (
    Failure,
    Payload,
    decode,
    failure_of,
    failure_to_wire,
    open_output,
    output_to_payload,
)
from stageflow_actors.actors.messages import Envelope, Receipt
from stageflow_actors.actors.stage_host import StageHost, unreadable_inputs
from stageflow_actors.model.context import Cancellation, PipelineTimer, StageContext
from stageflow_actors.model.inputs import StageInputs
from stageflow_actors.model.settings import Settings
from stageflow_actors.model.snapshot import ContextSnapshot

Execution = tuple[str, int]
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
        self._live: dict[Execution, tuple[Cancellation, asyncio.Task[Receipt]]] = {}
        # Ray may deliver an interrupt before the envelope that it is about.
        self._early_interrupts: OrderedDict[Execution, str] = OrderedDict()

    async def prepare(self, code: Payload) -> int | Failure:
        """Load the stage and run its ``setup``; the process id, or why it failed."""
        try:
            spec = decode(code)
        except Exception as error:
            return failure_to_wire(failure_of(error))
        host = await StageHost.prepare(spec, self._settings)
        if isinstance(host, Failure):
            return failure_to_wire(host)
        self._host = host
        return os.getpid()

    async def execute(self, envelope: Envelope) -> Receipt:
        """Execute once."""
        assert self._host is not None, "the supervisor prepares a stage before it sends work"
        execution = (envelope.run, envelope.attempt)
        cancellation = Cancellation()
        early = self._early_interrupts.pop(execution, None)
        if early is not None:
            cancellation.request(early)
        task = asyncio.ensure_future(_execute(self._host, envelope, cancellation))
        self._live[execution] = (cancellation, task)
        try:
            return _to_wire(await task)
        finally:
            del self._live[execution]

    async def interrupt(self, run: str, attempt: int, reason: str) -> None:
        """Tell an execution to stop. One in a thread sees ``ctx.is_cancelled`` and is waited for."""
        live = self._live.get((run, attempt))
        if live is None:
            self._early_interrupts[run, attempt] = reason
            if len(self._early_interrupts) > _MAX_EARLY_INTERRUPTS:
                self._early_interrupts.popitem(last=False)
            return
        cancellation, task = live
        cancellation.request(reason)
        await asyncio.sleep(0)  # lets a task take its first step, so that it can answer
        if self._host is not None and not self._host.is_blocking:
            task.cancel()

    async def teardown(self) -> None:
        """Run the stage's ``teardown``."""
        if self._host is not None:
            await self._host.teardown()


async def _execute(host: StageHost, envelope: Envelope, cancellation: Cancellation) -> Receipt:
    try:
        snapshot: ContextSnapshot = decode(envelope.snapshot)
        inputs = {name: open_output(output) for name, output in envelope.inputs.items()}
    except Exception as error:
        return unreadable_inputs(host.name, error)
    ctx = StageContext(
        snapshot,
        StageInputs(snapshot, inputs, stage_name=host.name),
        host.name,
        PipelineTimer(envelope.started_ms),
        attempt=envelope.attempt,
        cancellation=cancellation,
    )
    return await host.execute(ctx)


def _to_wire(receipt: Receipt) -> Receipt:
    output = None if receipt.output is None else output_to_payload(receipt.output)
    failure = None if receipt.failure is None else failure_to_wire(receipt.failure)
    return receipt._replace(output=output, failure=failure)

