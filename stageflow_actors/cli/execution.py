"""Runs a pipeline once, tells every event to a watcher, and is cancelled by Ctrl-C."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from stageflow_actors.actors.runtime import Runtime
from stageflow_actors.cli.interrupts import REASON, Interrupts
from stageflow_actors.cli.loading import Loaded
from stageflow_actors.model.events import Event
from stageflow_actors.model.pipeline_context import PipelineContext
from stageflow_actors.model.results import RunResult

_FLUSH_S = 0.3
"""How long sinks that the pipeline's module has set may take to write what they were given."""

Watch = Callable[[Event], None]


async def run_once(
    pipeline: Loaded,
    runtime: Runtime,
    context: PipelineContext,
    watch: Watch,
    interrupts: Interrupts,
) -> RunResult:
    """The result of one run; each event is passed to ``watch`` as it comes.

    Raises:
        RuntimeFault: the pipeline could not be deployed.
    """
    loop = asyncio.get_running_loop()
    async with runtime.deploy(pipeline) as app:
        run = await app.start(context)
        interrupts.cancel = lambda: _cancel_soon(loop, context)
        if interrupts.is_set:
            context.mark_cancelled(REASON)
        async for event in run.events():
            watch(event)
        result = await run.result()
    await runtime.flush_events(_FLUSH_S)
    return result


def _cancel_soon(loop: asyncio.AbstractEventLoop, context: PipelineContext) -> None:
    with suppress(RuntimeError):  # the loop is closed, so the run has ended
        loop.call_soon_threadsafe(context.mark_cancelled, REASON)
