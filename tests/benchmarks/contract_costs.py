"""What it costs to check the output of a stage against its contract, next to pydantic alone."""

from __future__ import annotations

import statistics
from collections.abc import AsyncIterator

from pydantic import BaseModel

from stageflow_actors.contracts import Contract
from tests.benchmarks.figures import Figure, Row
from tests.benchmarks.measure import Action, Effort, Rounds, Spread, compare, timed

_BATCH = 1_000
_AT_LEAST = 100_000


class Answer(BaseModel):
    """Flat, five fields."""

    text: str
    tokens: int
    score: float
    final: bool
    language: str | None = None


async def rows(effort: Effort) -> AsyncIterator[Row]:
    """One figure."""
    yield await contract_checks(Rounds(effort.pairs, turns=5))


async def contract_checks(rounds: Rounds) -> Figure:
    """Checks per second of right data against a flat model with five fields."""
    measured = await compare(timed(_ours(), 1.0), timed(_peer(), 1.0), rounds)
    ours, peer = (_BATCH / statistics.median(side) for side in (measured.ours, measured.peer))
    return Figure(
        name="Contract checks, model of 5 fields",
        unit="checks/s",
        ours=ours,
        peer=peer,
        peer_name="pydantic alone",
        ratio=Spread.of(measured.rates(_BATCH).ratios),
        bar=f">= {_AT_LEAST:,}/s",
        is_met=ours >= _AT_LEAST,
        is_more_better=True,
    )


def _data() -> dict[str, object]:
    return {"text": "Lisbon", "tokens": 7, "score": 0.5, "final": True, "language": "en"}


def _ours() -> Action:
    check, data = Contract(Answer, "ask", "show").check, _data()

    async def run() -> None:
        for _ in range(_BATCH):
            check(data)

    return run


def _peer() -> Action:
    data = _data()

    async def run() -> None:
        for _ in range(_BATCH):
            Answer.model_validate(data, strict=True)

    return run
