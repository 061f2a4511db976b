"""The stages of ``test_batching.py``. Their processes load this, and no test."""

from __future__ import annotations

import asyncio
import threading

from stageflow_actors import StageOutput
from tests.conformance.crossing import Gate, Journal


def note_arrival(folder, ctx):
    """Called for each run as it comes to wait for a batch."""
    Journal(folder).write(f"came {ctx.snapshot.input_text}")
    return 1.0


class Embed:
    """Notes its batches; each waits for ``go``, and one with a bad text raises."""

    kind = "work"

    def __init__(self, folder):
        self.folder = folder

    async def execute_batch(self, ctxs):
        names = [ctx.snapshot.input_text for ctx in ctxs]
        Journal(self.folder).write(" ".join(["batch", *names]))
        Gate(self.folder, "runs").open()
        await Gate(self.folder, "go").opened()
        if "bad" in names:
            raise ValueError("one of these is bad")
        return [StageOutput.ok(text=name.upper()) for name in names]


class EmbedInThread(Embed):
    """The same in a plain ``def``, set up and torn down."""

    def setup(self):
        Journal(self.folder).write("setup")

    def execute_batch(self, ctxs):
        names = [ctx.snapshot.input_text for ctx in ctxs]
        Journal(self.folder).write(" ".join(["batch", *names]))
        Gate(self.folder, "go").wait()
        is_main = threading.current_thread() is threading.main_thread()
        return [{"text": name.upper(), "is_main": is_main} for name in names]

    def teardown(self):
        Journal(self.folder).write("teardown")


class Deaf(Embed):
    """Hears of no stop while ``a`` is in the batch and ``go`` is closed."""

    async def execute_batch(self, ctxs):
        while "a" in [ctx.snapshot.input_text for ctx in ctxs]:
            try:
                await Gate(self.folder, "go").opened()
                break
            except asyncio.CancelledError:
                continue
        return [{"fine": True} for _ in ctxs]


class DeafInThread(Embed):
    def execute_batch(self, ctxs):
        if "a" in [ctx.snapshot.input_text for ctx in ctxs]:
            Gate(self.folder, "go").wait()
        return [{"fine": True} for _ in ctxs]


class Miscount(Embed):
    async def execute_batch(self, ctxs):
        return []


class Odd(Embed):
    async def execute_batch(self, ctxs):
        return [{"fine": True}, 5, LookupError("not there"), StageOutput.skip("not today")]
