"""Stages of a help desk. Which of them run, and how, stands in help_desk.yaml."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import BaseModel

from stageflow_actors import RoutingDecision, StageContext, StageOutput


class Question(BaseModel):
    """What was asked, in lower case, and its words."""

    text: str
    words: list[str]


async def hear(ctx: StageContext) -> StageOutput:
    text = (ctx.snapshot.input_text or "").strip().lower()
    return StageOutput.ok(text=text, words=re.findall(r"\w+", text))


class Triage:
    """Sends a question to the people, if one of their words is in it."""

    def __init__(self, words_for_people: list[str]) -> None:
        self._words = frozenset(words_for_people)

    async def execute(self, ctx: StageContext) -> RoutingDecision:
        is_theirs = self._words.intersection(ctx.inputs.require_from("hear", "words"))
        return RoutingDecision("people" if is_theirs else "self_service")


class Lookup:
    """Finds the article with the most words in common."""

    def __init__(self, articles: Mapping[str, str], least_words: int = 1) -> None:
        self._articles = articles
        self._least = least_words

    def execute(self, ctx: StageContext) -> StageOutput:
        words = set(ctx.inputs.require_from("hear", "words"))
        shared = {title: len(words & set(title.lower().split())) for title in self._articles}
        best = max(shared, key=lambda title: shared[title])
        if shared[best] < self._least:
            return StageOutput.fail(f"no article has {self._least} words of the question")
        return StageOutput.ok(answer=self._articles[best])


async def ticket(ctx: StageContext) -> StageOutput:
    text = ctx.inputs.require_from("hear", "text")
    return StageOutput.ok(answer=f"Somebody will look at it: {text}")


async def reply(ctx: StageContext) -> StageOutput:
    return StageOutput.ok(sent=ctx.inputs.get("answer"))
