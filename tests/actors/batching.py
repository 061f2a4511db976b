"""A body that is called with batches, and the runs that come to it."""

from __future__ import annotations

import asyncio

from stageflow_actors import ContextSnapshot, PipelineTimer, StageContext, StageInputs, stage
from stageflow_actors.actors.batch_body import BatchBody
from stageflow_actors.actors.batcher import Batcher
from stageflow_actors.model.policies.batching import Batching
from tests.actors.desks import turns


class Unused:
    async def execute_batch(self, ctxs):
        raise AssertionError


def texts(ctxs):
    return [ctx.snapshot.input_text for ctx in ctxs]


class Body:
    """Notes the batches that it is called with; each waits until ``gate`` is open."""

    def __init__(self):
        self.gate = asyncio.Event()
        self.calls = []
        self.live = 0
        self.stopped = []
        self.bad = set()
        self.returns = None
        self.error = ValueError("bad")

    async def __call__(self, ctxs):
        self.calls.append(texts(ctxs))
        self.live += 1
        assert self.live == 1, "one batch at a time"
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.stopped.append(texts(ctxs))
            raise
        finally:
            self.live -= 1
        if self.bad & set(texts(ctxs)):
            raise self.error
        if self.returns is not None:
            return self.returns(ctxs)
        return [{"text": text.upper()} for text in texts(ctxs)]


class Scene:
    """A batcher around a body, and runs that come to it. ``first`` is in the body already."""

    def __init__(self, body=None, *, effects="unknown", is_blocking=False, **batching):
        self.body = body or Body()
        spec = stage("embed", Unused, "work", effects=effects, batching=Batching(**batching))
        self.batcher = Batcher(spec, BatchBody(self.body, "embed", is_blocking=is_blocking))

    def come(self, text, **parts):
        ctx = context_of(text, **parts)
        run = asyncio.ensure_future(self._run(ctx))
        run.ctx = ctx
        return run

    async def _run(self, ctx):
        try:
            return await self.batcher.run(ctx)
        except (SystemExit, KeyboardInterrupt) as error:
            return error  # raised from a task, they would end the event loop

    async def after_a_first(self, names, **parts):
        """The runs of ``names``, which have come while a first one was executed."""
        first = self.come("first")
        await turns()
        runs = [self.come(name, **parts) for name in names]
        await turns()
        assert self.body.calls == [["first"]]
        self.body.gate.set()
        await first
        return runs


def context_of(text, **parts):
    snapshot = ContextSnapshot(input_text=text)
    return StageContext(snapshot, StageInputs(snapshot), "embed", PipelineTimer(), **parts)


async def ends(runs):
    return await asyncio.gather(*runs, return_exceptions=True)


def upper(names):
    return [{"text": name.upper()} for name in names]
