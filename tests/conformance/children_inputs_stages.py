"""The stages of ``test_children_inputs.py``. Their processes load this, and no test."""

from __future__ import annotations

from pydantic import BaseModel

from tests.conformance.parents import tells


async def look(ctx):
    return tells(ctx)


class Question(BaseModel):
    input_text: str
    top: int = 1
