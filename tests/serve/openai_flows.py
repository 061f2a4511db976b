"""Models that replicas of the door import."""

from __future__ import annotations

from stageflow_actors import Pipeline
from stageflow_actors.serving import OpenAIModel, ServedPipeline


class Repeats:
    """Says what it hears, word by word."""

    async def execute(self, ctx):
        words = [f"{word} " for word in ctx.snapshot.input_text.split()]
        for word in words:
            await ctx.stream.send(word)
        tokens = {"input_tokens": len(words), "output_tokens": len(words)}
        return {"text": "".join(words), "usage": tokens}


parrot = ServedPipeline(
    Pipeline("parrot").with_stage("say", Repeats, "agent"),
    openai=OpenAIModel(chat="say.text", usage="say.usage"),
)
