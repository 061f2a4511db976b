"""A question in text, answered by the stages of the voice assistant, sentence by sentence."""

from __future__ import annotations

import re

from stageflow_actors import Pipeline, StageContext, StageKind, StageOutput, stage

from .knowledge import rooms
from .pipeline import with_answer


@stage(kind=StageKind.TRANSFORM)
async def read(ctx: StageContext) -> StageOutput:
    """The question, in the place of the stage that hears."""
    if ctx.snapshot.metadata.get("room") not in rooms():
        return StageOutput.cancel("Tell me in the metadata which room is asking.")
    return StageOutput.ok(question=ctx.snapshot.input_text or "")


@stage(kind=StageKind.TRANSFORM)
async def tell(ctx: StageContext) -> StageOutput:
    """Streams what may be said: a sentence is worth showing before the next one is."""
    text = ctx.inputs.require_from("output_guard", "text")
    for sentence in sentences_of(text):
        await ctx.stream.send(sentence)
    return StageOutput.ok(text=text)


def sentences_of(text: str) -> list[str]:
    """The sentences of ``text``, with the blanks between them: together they are the text."""
    return re.findall(r".+?(?:[.!?]+\s*|$)", text, re.DOTALL)


def answering() -> Pipeline:
    """A question and the ``room`` in the metadata in, an answer in ``tell.text`` out."""
    heard = Pipeline("answering").with_stage("hear", read)
    return with_answer(heard).with_stage("tell", tell, dependencies="output_guard")
