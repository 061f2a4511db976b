"""The stages of ``test_isolation.py``. Their processes load this, and no test."""

from __future__ import annotations

import dataclasses

import numpy as np

from stageflow_actors import StageKind, StageOutput


@dataclasses.dataclass
class Box:
    items: list


class Keep:
    """Keeps what it returns, and changes it on every later execution."""

    kind = StageKind.WORK

    def __init__(self):
        self.plain, self.box = {"n": [0]}, Box([0])

    async def execute(self, ctx):
        self.plain["n"].append(1)
        self.box.items.append(1)
        return StageOutput.ok(plain=self.plain, box=self.box)


class KeepArray:
    """Returns the array that it keeps, and writes into it on every execution."""

    kind = StageKind.WORK

    def __init__(self):
        self.array = np.zeros(2**18)

    async def execute(self, ctx):
        self.array += 1
        return {"array": self.array}
