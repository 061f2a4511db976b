"""The stages of ``test_processes.py``. Their processes load this, and no test."""

from __future__ import annotations

import os


async def tell_pid(ctx):
    return {"pid": os.getpid()}


class Custom:
    def __reduce__(self):
        return Custom, ()


async def give_custom(ctx):
    return {"custom": Custom()}
