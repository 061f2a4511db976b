"""The stages of ``test_silence.py``. Their processes load this, and no test."""

from __future__ import annotations

import asyncio
import time

from stageflow_actors import StageKind


class Working:
    """Has one effect after the other, and writes down when."""

    kind = StageKind.WORK

    def __init__(self, folder) -> None:
        self.folder = folder

    def effects(self, ctx):
        name = f"{ctx.snapshot.input_text}-{ctx.attempt}.effects"
        return (self.folder / name).open("a", buffering=1)


class WorksOn(Working):
    """For as long as nobody stops it."""

    async def execute(self, ctx):
        with self.effects(ctx) as file:
            while True:
                file.write(f"{time.monotonic()}\n")
                await asyncio.sleep(0.0005)


class WorksOnWhateverIsSaid(Working):
    """Heeds nothing: only the end of its process ends it."""

    def execute(self, ctx):
        with self.effects(ctx) as file:
            while True:
                file.write(f"{time.monotonic()}\n")
                time.sleep(0.0005)
