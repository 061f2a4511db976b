"""The pipelines that the door of the benchmark serves."""

from __future__ import annotations

from stageflow_actors import Pipeline, StageContext, StageOutput
from tests.benchmarks.serve_peers import CHUNKS

_STAGES = 4


class Work:
    """A stage."""

    async def execute(self, ctx: StageContext) -> StageOutput:
        return StageOutput.ok(text="said")


class Talk:
    """The last of four, which streams."""

    async def execute(self, ctx: StageContext) -> StageOutput:
        for number in range(CHUNKS):
            await ctx.stream.send(f"piece {number}")
        return StageOutput.ok(text="said")


def _chain(name: str, last: type) -> Pipeline:
    pipeline = Pipeline(name)
    for number in range(_STAGES):
        stage = last if number == _STAGES - 1 else Work
        before = (f"s{number - 1}",) if number else ()
        pipeline = pipeline.with_stage(f"s{number}", stage, "work", dependencies=before)
    return pipeline


four = _chain("four", Work)
talking = _chain("talking", Talk)
