"""The stage that answers, from nothing but what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from stageflow_actors import StageContext, StageKind, StageOutput

from .language_model import Endpoint, LanguageModel, LanguageModelError
from .words import is_about_the_speaker

ENOUGH = 0.58
"""Share of a question that a passage has to account for, to be an answer."""
OF_THE_SPEAKER = 1.1
"""What notes on the guest count for where the question is about the guest ..."""
OF_SOMEBODY = 0.75
"""... and where it is not."""
PERSONAL = frozenset({"profile", "memory"})
UNKNOWN = "I am sorry, I do not know that. Please ask at the front desk."

Passage = Mapping[str, Any]
"""The plain form of a ``SearchResult``."""
Found = Mapping[str, Sequence[Passage]]
"""What each source has found, the best first."""


class Answer(NamedTuple):
    """What to say, and what it stands on, the best first. Without passages it says so."""

    text: str
    passages: tuple[Passage, ...]


class Respond:
    """Makes the answer of passages. With an endpoint, a language model words it."""

    kind = StageKind.AGENT

    def __init__(self, endpoint: Endpoint | None = None) -> None:
        self._model = LanguageModel(endpoint) if endpoint else None

    async def setup(self) -> None:
        if self._model is not None:
            await self._model.open()

    async def teardown(self) -> None:
        if self._model is not None:
            await self._model.close()

    async def execute(self, ctx: StageContext) -> StageOutput:
        if ctx.inputs.require_from("input_guard", "reason") is not None:
            return StageOutput.skip("the input guard has blocked the question")
        question = ctx.inputs.require_from("hear", "question")
        wanted = ctx.inputs.require_from("profile", "preferences")["answers"]
        answer = compose(
            question,
            ctx.inputs.require_from("input_guard", "passages"),
            is_short=wanted == "short",
        )
        output = StageOutput.ok(
            text=answer.text, composed=answer.text, passages=list(answer.passages), note=None
        )
        if self._model is None or not answer.passages:
            return output
        try:
            record = await self._model.ask(question, answer.passages)
        except LanguageModelError as error:
            return StageOutput.ok({**output.data, "note": f"{error} The passages answer instead."})
        worded = {"text": record.content, "llm": record.to_dict()}
        return StageOutput.ok({**output.data, **worded})


def compose(question: str, found: Found, *, is_short: bool) -> Answer:
    """The best passage; unless ``is_short``, also what other sources clearly have to add."""
    worth = {
        source: _worth(question, source, results[0]) for source, results in found.items() if results
    }
    best = max(worth, key=lambda source: worth[source], default="")
    if not best or worth[best] < ENOUGH:
        return Answer(UNKNOWN, ())
    others = [] if is_short else [source for source in worth if source != best]
    added = [found[source][0] for source in others if _stands_out(found[source])]
    passages = (found[best][0], *added)
    return Answer(" ".join(passage["snippet"] for passage in passages), passages)


def _stands_out(results: Sequence[Passage]) -> bool:
    """Whether the first one fits, and better than the second: else it is one of many."""
    first, second = results[0]["score"], results[1]["score"] if len(results) > 1 else 0.0
    return bool(first >= ENOUGH and first > second)


def _worth(question: str, source: str, passage: Passage) -> float:
    score = float(passage["score"])
    if source not in PERSONAL:
        return score
    return score * (OF_THE_SPEAKER if is_about_the_speaker(question) else OF_SOMEBODY)
