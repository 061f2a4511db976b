"""The stages of ``test_bad_input.py``. Their processes load this, and no test."""

from __future__ import annotations

import asyncio
import sys

from stageflow_actors import StageKind
from tests.conformance.crossing import Journal


class BrokenSetup:
    kind = StageKind.WORK

    def __init__(self, where):
        self.where = where
        if where == "constructor":
            raise ValueError("no model")

    async def setup(self):
        raise ValueError("no model")

    async def execute(self, ctx):
        return None


class NeverReady:
    kind = StageKind.WORK

    async def setup(self):
        await asyncio.Event().wait()

    async def execute(self, ctx):
        return None


class CancelledSetup(NeverReady):
    async def setup(self):
        raise asyncio.CancelledError("my own")


class Noted(NeverReady):
    def __init__(self, folder):
        self.folder = folder

    async def setup(self):
        Journal(self.folder).write("setup")

    async def teardown(self):
        Journal(self.folder).write("teardown")
        sys.exit("not a good place for it")


class ManyArguments(Exception):
    def __init__(self, code, *, detail):
        super().__init__(f"code {code}")
        self.code = code
        self.detail = detail


class UnprintableError(Exception):
    def __str__(self):
        raise RuntimeError("no text")


class HoldsALock(Exception):
    def __init__(self, text):
        super().__init__(text)
        import threading

        self.lock = threading.Lock()


class Anything:
    pass
