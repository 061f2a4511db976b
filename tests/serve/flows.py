"""Pipelines that replicas of the door import. Their gates are files, which every process sees."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from stageflow_actors import AuthContext, AuthenticationError, Pipeline


class Tokens:
    """Knows the tokens of the tests."""

    async def verify(self, token: str) -> AuthContext:
        from tests.serving.live import TOKENS  # which the processes of stages need not load

        if token not in TOKENS:
            raise AuthenticationError("no such token")
        return TOKENS[token]


async def passed(gate: str) -> None:
    """Waits for the file; nobody tells another process that it is there."""
    while not Path(gate).exists():  # noqa: ASYNC240 - a look at a local file
        await asyncio.sleep(0.005)


class Echo:
    async def execute(self, ctx):
        return {"text": ctx.snapshot.input_text, "version": 1, "pid": os.getpid()}


class EchoAnew:
    async def execute(self, ctx):
        return {"text": ctx.snapshot.input_text, "version": 2, "pid": os.getpid()}


class Waits:
    """Notes that it was executed, streams a piece, and waits at the gate ``<input_text>``."""

    async def execute(self, ctx):
        gate = ctx.snapshot.input_text
        if gate is None:  # nobody will open it
            await asyncio.Event().wait()
        with Path(f"{gate}.executions").open("a") as noted:  # noqa: ASYNC230
            noted.write("x")
        await ctx.stream.send("begun")
        await passed(gate)
        await ctx.stream.send(b"\x00\xff")
        return {"executions": len(Path(f"{gate}.executions").read_text())}  # noqa: ASYNC240


class Unable:
    async def setup(self):
        raise RuntimeError("no model at /srv/private")

    async def execute(self, ctx):
        return {}


plain = Pipeline("plain").with_stage("echo", Echo, "work")
plain_anew = Pipeline("plain").with_stage("echo", EchoAnew, "work")
gated = Pipeline("gated").with_stage("wait", Waits, "work")
unable = Pipeline("unable").with_stage("unable", Unable, "work")
