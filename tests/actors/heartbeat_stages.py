"""The stages of ``test_heartbeat.py``. Their processes load this, and no test."""

from __future__ import annotations

import asyncio
import time


async def turn_slowly(ctx):
    for _turn in range(50):
        time.sleep(0.05)
        await asyncio.sleep(0)


def block_a_thread(ctx):
    time.sleep(2.5)
