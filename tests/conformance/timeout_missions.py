"""Stages that run out of time, each in its own way."""

from __future__ import annotations

import asyncio
import os
import time

from stageflow_actors import LocalRuntime, Pipeline, StageContext, StageKind
from tests.conformance.crossing import Gate, Journal


class InFolder:
    """A stage that meets its test in a folder."""

    kind = StageKind.WORK

    def __init__(self, folder) -> None:
        self.folder = folder

    def tell(self, ctx: StageContext) -> None:
        Gate(self.folder, f"{ctx.stage_name}-runs").open()

    def write(self, line: str) -> None:
        Journal(self.folder).write(line)


class ReadsTokens(InFolder):
    """Waits inside an asynchronous generator, which has something to close."""

    async def execute(self, ctx):
        async for _token in self.tokens():
            self.tell(ctx)

    async def tokens(self):
        try:
            yield "first"
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            self.write("generator closed")


class CleansUpSlowly(InFolder):
    """Has a cleanup that waits until the test has looked."""

    async def execute(self, ctx):
        ctx.on_cleanup(self.clean_up)
        await asyncio.Event().wait()

    async def clean_up(self):
        Gate(self.folder, "cleaning").open()
        await Gate(self.folder, "looked").opened()
        self.write("cleaned up")


class StartsARun(InFolder):
    """Runs another pipeline in its own process, under its own context."""

    async def execute(self, ctx):
        inner = Pipeline("inner").with_stage("innermost", Innermost, config={"folder": self.folder})
        mine = ctx.remaining_ms()
        results = await inner.run(ctx, runtime=LocalRuntime())
        return {"mine": mine, "inner": results["innermost"].data["remaining_ms"]}


class Innermost(InFolder):
    """Says how much time is left; with ``wait`` in the input it uses all of it."""

    async def execute(self, ctx):
        self.tell(ctx)
        try:
            if ctx.snapshot.input_text == "wait":
                await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            self.write("innermost ended")
        return {"remaining_ms": ctx.remaining_ms()}


class Stubborn(InFolder):
    """A plain ``def``; with ``block`` in the input it heeds nothing, and goes on when it can."""

    def execute(self, ctx):
        if ctx.snapshot.input_text == "block":
            self.tell(ctx)
            Gate(self.folder, "go-on").wait()
            self.go_on(ctx)
            Gate(self.folder, "went-on").open()
        return {"pid": os.getpid()}

    def go_on(self, ctx):
        calls = {
            "emit_event": lambda: ctx.emit_event("late"),
            "add_artifact": lambda: ctx.add_artifact("late", 1),
            "effect_key": lambda: ctx.effect_key,
            "heartbeat": ctx.heartbeat,
        }
        for name, call in calls.items():
            try:
                call()
            except Exception as error:
                self.write(f"{name}: {type(error).__name__}")
            else:
                self.write(f"{name}: went through")


class BlocksItsLoop(InFolder):
    """An ``async`` stage that lets nobody else run."""

    async def execute(self, ctx):
        if ctx.snapshot.input_text == "block":
            self.tell(ctx)
            Gate(self.folder, "go-on").wait()
        return {"pid": os.getpid()}


class AsksWhetherToGoOn(InFolder):
    """A plain ``def`` that works in small steps, and asks before each; then it tidies up."""

    def execute(self, ctx):
        self.tell(ctx)
        while ctx.snapshot.input_text == "block" and not ctx.is_cancelled:
            time.sleep(0.001)
        self.write(f"ended by itself in {os.getpid()}")
        return {"pid": os.getpid()}


class WaitsAtFirst(InFolder):
    """A plain ``def`` that heeds nothing at its first attempts, and returns at once later."""

    def __init__(self, folder, times: int = 1) -> None:
        super().__init__(folder)
        self.times = times

    def execute(self, ctx):
        Gate(self.folder, f"{ctx.snapshot.input_text}-runs-{ctx.attempt}").open()
        if ctx.attempt <= self.times:
            Gate(self.folder, "go-on").wait()
        return {"attempt": ctx.attempt}


class FailsThenWaits(InFolder):
    """Its first attempt fails, its second one has no end."""

    async def execute(self, ctx):
        self.write(f"attempt {ctx.attempt}")
        if ctx.attempt == 1:
            raise ConnectionError("not there yet")
        await asyncio.Event().wait()


class GivesSigns(InFolder):
    """Gives signs of life of one kind, as long as the input says (in seconds), then ends."""

    async def execute(self, ctx):
        kind, seconds = ctx.snapshot.input_text.split()
        end = time.monotonic() + float(seconds)
        while time.monotonic() < end:
            if kind == "heartbeat":
                ctx.heartbeat()
            elif kind == "event":
                ctx.emit_event("still.here")
            elif kind == "artifact":
                ctx.add_artifact("still here", 1)
            await asyncio.sleep(0.005)


class GivesSignsInAThread(InFolder):
    """The same as a plain ``def``, which asks whether to go on."""

    def execute(self, ctx):
        kind, seconds = ctx.snapshot.input_text.split()
        end = time.monotonic() + float(seconds)
        while time.monotonic() < end and not ctx.is_cancelled:
            if kind == "heartbeat":
                ctx.heartbeat()
            elif kind == "event":
                ctx.emit_event("still.here")
            elif kind == "artifact":
                ctx.add_artifact("still here", 1)
            time.sleep(0.005)
