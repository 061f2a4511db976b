"""The stage that looks at an answer before it is spoken."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from stageflow_actors import StageContext, StageKind, StageOutput, stage

from .words import words_of

REFUSAL = "I am sorry, I cannot help you with that."
MOST_WORDS = 60
"""Nobody listens to more than that."""

_UNITS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ALSO_NUMBERS = (("half", 30), ("noon", 12), ("midnight", 12), ("a", 1), ("an", 1))
_PRIVATE = (
    (re.compile(r"\b\d(?:[ -]?\d){11,18}\b"), "a card number"),
    (re.compile(r"\b[\w.+-]+@[\w-]+\.[\w.-]+\b"), "a mail address"),
)


@stage(kind=StageKind.GUARD)
async def output_guard(ctx: StageContext) -> StageOutput:
    """The text that may be spoken, and what was changed to make it so."""
    if ctx.inputs.require_from("input_guard", "reason") is not None:
        return StageOutput.ok(text=REFUSAL, changes=[])
    text, changes = ctx.inputs.require_from("answer", "text"), []
    if not is_supported(text, ctx.inputs.require_from("answer", "passages")):
        text = ctx.inputs.require_from("answer", "composed")
        changes.append("it had a number in it that no passage has; the passages answer instead")
    for pattern, what in _PRIVATE:
        text, count = pattern.subn(what, text)
        changes += [f"{what} was taken out"] * bool(count)
    spoken = shortened(text)
    changes += ["it was too long"] * (spoken != text)
    return StageOutput.ok(text=spoken, changes=changes)


def is_supported(text: str, passages: Sequence[Mapping[str, Any]]) -> bool:
    """Whether there is a text, and every number in it stands in one of the passages too."""
    supported: set[int] = set()
    for passage in passages:
        supported |= numbers_in(passage["snippet"]) | joined_numbers_in(passage["snippet"])
    return bool(text) and numbers_in(text) <= supported


def numbers_in(text: str) -> set[int]:
    """Every number in ``text``, in words or digits; of ``half past ten`` 10 and 30."""
    also = {number for word, number in _ALSO_NUMBERS if word in words_of(text)}
    return also.union(*_runs_of_numbers(text))


def joined_numbers_in(text: str) -> set[int]:
    """What numbers that follow each other are if read as one: of ``three twelve`` 312."""
    return {int("".join(map(str, run))) for run in _runs_of_numbers(text)}


def shortened(text: str) -> str:
    """Whole sentences, as many as fit into ``MOST_WORDS``; the words that fit, if not even one."""
    words = text.split()
    if len(words) <= MOST_WORDS:
        return text
    kept = " ".join(words[:MOST_WORDS])
    end = max(kept.rfind(mark) for mark in ".!?")
    return kept[: end + 1] if end > 0 else f"{kept}."


def _runs_of_numbers(text: str) -> list[list[int]]:
    """Numbers that directly follow each other, together."""
    tokens = re.findall(r"\d+|[a-z]+", text.lower())
    runs = groupby(map(_number, tokens), key=lambda number: number is not None)
    return [
        _with_tens_added([number for number in run if number is not None])
        for is_number, run in runs
        if is_number
    ]


def _number(token: str) -> int | None:
    if token.isdigit():
        return int(token)
    if token in _UNITS:
        return _UNITS.index(token)
    return (_TENS.index(token) + 2) * 10 if token in _TENS else None


def _with_tens_added(parts: list[int]) -> list[int]:
    """``20, 5`` is 25."""
    added: list[int] = []
    for part in parts:
        if added and 0 < part < 10 and added[-1] in range(20, 100, 10):
            added[-1] += part
        else:
            added.append(part)
    return added
