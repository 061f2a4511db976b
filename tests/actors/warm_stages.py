"""The stages of ``test_warm.py``. Their processes load this, and no test."""

from __future__ import annotations

import os

from stageflow_actors import StageKind


class BrokenOnce:
    kind = StageKind.WORK

    def __init__(self, flag):
        if not flag.exists():
            flag.touch()
            raise ValueError("not yet")

    async def execute(self, ctx):
        return {"pid": os.getpid()}
