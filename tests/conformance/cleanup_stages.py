"""The stages of ``test_cleanup.py``. Their processes load this, and no test."""

from __future__ import annotations

import asyncio
import functools
import sqlite3
import threading

from pydantic import BaseModel

from stageflow_actors import RoutingDecision, StageKind, StageOutput
from tests.conformance.crossing import Gate, Journal


def ending(how, ctx):
    """Ends as ``how`` says; one that waits to be stopped does so in its own way."""
    if how == "raise":
        raise ValueError("broken")
    if how == "exit":
        raise SystemExit(3)
    return {
        "ok": StageOutput.ok(route=RoutingDecision("left")),
        "fail": StageOutput.fail("broken"),
        "skip": StageOutput.skip("nothing to do"),
        "cancel": StageOutput.cancel("enough"),
        "wrong type": 5,
        "unpicklable": {"lock": threading.Lock(), "route": RoutingDecision("left")},
        "unmatched": RoutingDecision("nowhere"),
        "undecided": {"n": 1},
        "contract": {"n": "many", "route": RoutingDecision("left")},
    }[how]


class Tidy:
    """Registers two cleanups, one of each sort, and ends as the text of the run says."""

    kind = StageKind.WORK

    def __init__(self, folder):
        self.folder = folder

    def register(self, ctx):
        how = ctx.snapshot.input_text

        async def second():
            await asyncio.sleep(0)
            Journal(self.folder).write(f"{how}: second")

        ctx.on_cleanup(functools.partial(Journal(self.folder).write, f"{how}: first"))
        ctx.on_cleanup(second)
        return how

    async def execute(self, ctx):
        how = self.register(ctx)
        if how == "wait":
            Gate(self.folder, "runs").open()
            await asyncio.Event().wait()
        return ending(how, ctx)


class BlockingTidy(Tidy):
    def execute(self, ctx):
        how = self.register(ctx)
        if how == "wait":
            Gate(self.folder, "runs").open()
            while not ctx.is_cancelled:
                Gate(self.folder, "runs").wait()
            ctx.raise_if_cancelled()
        return ending(how, ctx)


def spill():
    raise OSError("disk full")


class Database:
    """Opens a connection, which only the thread that opened it may use or close."""

    kind = StageKind.WORK

    def execute(self, ctx):
        connection = sqlite3.connect(":memory:")
        ctx.on_cleanup(connection.close)
        ctx.on_cleanup(spill)
        return {"n": connection.execute("select 41 + 1").fetchone()[0]}


class Slow:
    """Ends at once; its cleanup waits for a gate."""

    kind = StageKind.WORK

    def __init__(self, folder):
        self.folder = folder

    async def execute(self, ctx):
        ctx.on_cleanup(self.clean)

    async def clean(self):
        Gate(self.folder, "cleaning").open()
        await Gate(self.folder, "go").opened()
        Journal(self.folder).write("cleaned")


class Note(Slow):
    async def execute(self, ctx):
        Journal(self.folder).write(ctx.stage_name)


class Meet:
    """Registers, meets the other run, then ends when its own gate opens."""

    kind = StageKind.WORK

    def __init__(self, folder):
        self.folder = folder

    async def execute(self, ctx):
        name = ctx.snapshot.input_text
        ctx.on_cleanup(functools.partial(Journal(self.folder).write, name))
        Gate(self.folder, f"{name}-runs").open()
        await Gate(self.folder, name).opened()


class Keep:
    """Keeps its context, and registers on the last one what comes too late."""

    kind = StageKind.WORK

    def __init__(self, folder, is_tidy):
        self.folder = folder
        self.is_tidy = is_tidy
        self.former = None

    async def execute(self, ctx):
        if self.is_tidy:
            ctx.on_cleanup(functools.partial(Journal(self.folder).write, "in time"))
        former, self.former = self.former, ctx
        if former is not None:
            former.on_cleanup(functools.partial(Journal(self.folder).write, "too late"))


class Made(BaseModel):
    n: int = 0
