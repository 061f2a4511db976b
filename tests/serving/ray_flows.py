"""The stages of ``test_on_ray.py``. Their processes load this, and no test."""

from __future__ import annotations


class Upper:
    async def execute(self, ctx):
        return {"text": ctx.snapshot.input_text.upper(), "org": ctx.org_id}


class Fails:
    async def execute(self, ctx):
        raise ValueError("/srv/private")


class Forever:
    async def execute(self, ctx):
        import asyncio

        await asyncio.Event().wait()


class Dies:
    def execute(self, ctx):
        import os

        os._exit(1)
