"""The stages of ``test_contracts.py``. Their processes load this, and no test."""

from __future__ import annotations

from pydantic import BaseModel, SecretStr

from stageflow_actors import StageKind
from tests.conformance.crossing import Journal


class Word(BaseModel):
    text: str
    start: float


class Transcript(BaseModel):
    words: list[Word]
    language: str = "en"


class Read:
    """Writes down that it ran."""

    kind = StageKind.WORK

    def __init__(self, folder):
        self.folder = folder

    async def execute(self, ctx):
        Journal(self.folder).write("read")
        return {"words": len(ctx.inputs.get_typed("hear", Transcript).words)}


class Profile(BaseModel):
    name: str
    token: SecretStr | None = None


class Question(BaseModel):
    input_text: str
    top: int = 3
