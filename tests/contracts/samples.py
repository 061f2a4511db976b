"""Models and data that several tests check."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ConfigDict

from stageflow_actors.contracts import Contract
from stageflow_actors.errors import StageContractError


class Answer(BaseModel):
    """Flat, five fields."""

    text: str
    tokens: int
    score: float
    final: bool
    language: str | None = None


class Word(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str
    start: float


class Transcript(BaseModel):
    words: list[Word]
    language: str = "en"


ANSWER = {"text": "Lisbon", "tokens": 7, "score": 0.5, "final": True, "language": "en"}
WORD = {"text": "hi", "start": 0.5}


def violation(model, data, *, stage="maker", reader=None):
    """The error that checking ``data`` ends in."""
    with pytest.raises(StageContractError) as broken:
        Contract(model, stage, reader).check(data)
    return broken.value
