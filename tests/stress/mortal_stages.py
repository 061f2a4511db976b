"""Stages that die, or are killed, and write down what they do where it outlives them."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import time
from collections import Counter

from stageflow_actors import StageKind


class Log:
    """One line per entry, from any process; a single short append is never torn."""

    def __init__(self, path) -> None:
        self.path = path

    def write(self, *words) -> None:
        with self.path.open("a") as file:
            file.write(" ".join(map(str, words)) + "\n")

    def lines(self):
        return [line.split() for line in self.path.read_text().splitlines()]


class Step:
    """Takes a moment, and notes when it begins."""

    kind = StageKind.WORK

    def __init__(self, path, seconds=0.002) -> None:
        self.log = Log(path)
        self.seconds = seconds

    async def execute(self, ctx):
        self.log.write(ctx.pipeline_run_id, ctx.stage_name, ctx.attempt)
        await asyncio.sleep(self.seconds)
        return {}


class Pay:
    """Has an effect in a database that knows effects by their keys."""

    kind = StageKind.WORK

    def __init__(self, path) -> None:
        self.path = path

    async def setup(self):
        self.database = sqlite3.connect(self.path, timeout=30)
        self.database.execute("PRAGMA journal_mode=WAL")
        self.database.execute("PRAGMA synchronous=NORMAL")
        self.database.execute("CREATE TABLE IF NOT EXISTS paid (key TEXT PRIMARY KEY, asked INT)")

    async def execute(self, ctx):
        with self.database:
            self.database.execute(
                "INSERT INTO paid VALUES (?, 1) ON CONFLICT DO UPDATE SET asked = asked + 1",
                (ctx.effect_key,),
            )
        return {}


def payments(path):
    """How often each effect was asked for, by its key."""
    with sqlite3.connect(path) as database:
        return Counter(dict(database.execute("SELECT key, asked FROM paid")))


class DiesOfPoison:
    """Kills its process whenever it is given poison."""

    kind = StageKind.WORK

    async def execute(self, ctx):
        if ctx.snapshot.input_text == "poison":
            os.kill(os.getpid(), signal.SIGKILL)
        await asyncio.sleep(0.001)
        return {}


class Leaf:
    """Works until it is told to stop; notes when it began and when it stopped."""

    kind = StageKind.WORK

    def __init__(self, path) -> None:
        self.log = Log(path)

    async def execute(self, ctx):
        self.log.write("began", time.monotonic(), os.getpid())
        try:
            await asyncio.Event().wait()
        finally:
            self.log.write("stopped", time.monotonic(), os.getpid())


class Branch:
    """Has as many children as it is told, and waits for them."""

    kind = StageKind.WORK

    async def execute(self, ctx):
        below, count = ctx.data["below"], ctx.data["count"]
        name = "leaf" if below == 1 else f"branch-{below - 1}"
        inputs = {"below": below - 1, "count": 1}
        await ctx.spawn_many(name, [inputs] * count)
        return {}
