"""The words of a question that say what it is about."""

from __future__ import annotations

import re
from pathlib import Path

DATA = Path(__file__).resolve().parent / "data"

_FREQUENT = frozenset((DATA / "common_words.txt").read_text(encoding="utf-8").split())
_OF_THE_SPEAKER = re.compile(r"\b(my|mine|our|ours|(am|are|was|were|did|have|had) (i|we))\b")


def words_of(text: str) -> list[str]:
    """The words of ``text``, lower case; of ``where's`` only ``where``."""
    return [word.partition("'")[0] for word in re.findall(r"[a-z0-9][a-z0-9']*", text.lower())]


def content_words(question: str) -> list[str]:
    """The words to look up, each once: those that many questions share say little."""
    return [word for word in dict.fromkeys(words_of(question)) if word not in _FREQUENT]


def is_about_the_speaker(question: str) -> bool:
    """Whether it asks for something of the one who asks: "my table", "did I"."""
    return _OF_THE_SPEAKER.search(question.lower()) is not None
