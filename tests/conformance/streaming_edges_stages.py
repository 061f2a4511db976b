"""The stages of ``test_streaming_edges.py``. Their processes load this, and no test."""

from __future__ import annotations

import asyncio

from stageflow_actors import StageKind, StreamError
from tests.conformance.crossing import Gate

KIB = 2**10


class FloodsTogether:
    """Streams to each of a batch more than may be on its way."""

    kind = StageKind.AGENT

    async def execute_batch(self, ctxs):
        for number in range(8):
            for ctx in ctxs:
                await ctx.stream.send(bytes([number]) * 64 * KIB)
        return [{"sent": 8} for _ctx in ctxs]


class FloodsTogetherInThread:
    kind = StageKind.AGENT

    def execute_batch(self, ctxs):
        for number in range(8):
            for ctx in ctxs:
                ctx.stream.send_blocking(bytes([number]) * 64 * KIB)
        return [{"sent": 8} for _ctx in ctxs]


class SendsLate:
    """Leaves something behind that sends when the stage has ended: to a stream that it has had
    since, or to one that it asks for only then.
    """

    kind = StageKind.AGENT

    def __init__(self, folder, asks_late):
        self.folder = folder
        self.asks_late = asks_late
        self.late = None

    async def execute(self, ctx):
        if self.late is not None:
            Gate(self.folder, "go").open()
            return {"code": await self.late}
        stream = None if self.asks_late else ctx.stream
        self.late = asyncio.ensure_future(self._send(ctx, stream))
        return {}

    async def _send(self, ctx, stream):
        await Gate(self.folder, "go").opened()
        try:
            await (ctx.stream if stream is None else stream).send("late")
        except StreamError as error:
            return error.code
        return "sent"
