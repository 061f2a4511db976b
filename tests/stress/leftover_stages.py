"""The stages of ``test_nothing_stays.py``. Their processes load this, and no test."""

from __future__ import annotations

import numpy as np

BIG_BYTES = 2**18
"""More than travels within a message."""


def number_of(ctx):
    return int(ctx.snapshot.input_text)


async def makes_big_ones(ctx):
    """Every twentieth run has a big array."""
    return {"array": np.ones(BIG_BYTES // 8 if number_of(ctx) % 20 == 0 else 1)}


async def reads(ctx):
    return {"sum": float(ctx.inputs.get("array").sum())}


async def fails_now_and_then(ctx):
    """Every hundredth fails once; of those every tenth for good."""
    number = number_of(ctx)
    if number % 100 == 7 and (ctx.attempt == 1 or number % 1_000 == 7):
        raise ConnectionError(f"{number} failed")
    return {"sum": ctx.inputs.get_from("read", "sum")}
