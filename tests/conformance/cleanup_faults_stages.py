"""The stages of ``test_cleanup_faults.py``. Their processes load this, and no test."""

from __future__ import annotations

import asyncio
import functools

from stageflow_actors import StageKind
from tests.conformance.crossing import Gate, Journal


class Untidy:
    """Registers three cleanups; the one between the others is ``middle``."""

    kind = StageKind.WORK

    def __init__(self, folder, middle):
        self.folder = folder
        self.middle = middle

    def register(self, ctx):
        write = Journal(self.folder).write
        ctx.on_cleanup(functools.partial(write, "first"))
        ctx.on_cleanup(self.middle)
        ctx.on_cleanup(functools.partial(write, "third"))

    async def execute(self, ctx):
        self.register(ctx)
        if ctx.snapshot.input_text == "wait":
            Gate(self.folder, "runs").open()
            await asyncio.Event().wait()


class BlockingUntidy(Untidy):
    def execute(self, ctx):
        self.register(ctx)


def spill():
    raise OSError("disk full")


async def stay():
    await asyncio.Event().wait()


async def hurry():
    async with asyncio.timeout(0):
        await asyncio.Event().wait()


async def stop_task():
    """What a stage does that has started a task: the cancel of that task comes back to it."""
    task = asyncio.ensure_future(asyncio.Event().wait())
    await asyncio.sleep(0)
    task.cancel()
    await task


async def leave():
    raise SystemExit(3)


def leave_at_once():
    raise SystemExit(3)


async def cancel_own_task():
    asyncio.current_task().cancel()
    await asyncio.sleep(0)


def cancel_own_task_at_once():
    asyncio.current_task().cancel()
