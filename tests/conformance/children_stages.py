"""The stages of ``test_children.py``. Their processes load this, and no test."""

from __future__ import annotations


async def every_end(ctx):
    children = await ctx.spawn_many("ends", ["hello", "raise", "fail", "cancel"])
    children.append(await ctx.spawn("ends", "wait", timeout=0.2))
    return {"children": children}


async def tell_time(ctx):
    return {"left": ctx.remaining_s}
