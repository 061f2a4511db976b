"""A pipeline whose stage opens a span of its own, and starts a child run below it."""

from __future__ import annotations

from opentelemetry import trace

from stageflow_actors import Pipeline


class Asks:
    async def execute(self, ctx):
        with trace.get_tracer("theirs").start_as_current_span("inner"):
            child = await ctx.spawn("inside", "a question")
        return dict(child.data["tell"])


class Tells:
    async def execute(self, ctx):
        return {"told": ctx.snapshot.input_text}


inside = Pipeline("inside").with_stage("tell", Tells, "work")
outside = Pipeline("outside").with_stage("ask", Asks, "work")
registry = {"inside": inside}
