"""The three stages that look things up. All of them work at the same time."""

from __future__ import annotations

import time
from typing import Any

from stageflow_actors import SearchResponse, SearchResult, StageContext, StageKind, StageOutput

from .knowledge import Preferences, guest_passages, hotel_passages
from .passages import PassageIndex


class Documents:
    """What there is to know about the hotel."""

    kind = StageKind.ENRICH

    def setup(self) -> None:
        self._index = PassageIndex(hotel_passages())

    def teardown(self) -> None:
        self._index.close()

    def execute(self, ctx: StageContext) -> StageOutput:
        return StageOutput.ok(found=look_up(ctx, self._index, "hotel"))


class Memory:
    """What the guest has asked for before."""

    kind = StageKind.ENRICH

    def setup(self) -> None:
        self._index = PassageIndex(guest_passages("memory"))

    def teardown(self) -> None:
        self._index.close()

    def execute(self, ctx: StageContext) -> StageOutput:
        return StageOutput.ok(found=look_up(ctx, self._index, "memory", owner=room_of(ctx)))


class Profile:
    """Who the guest is, and how they want to be answered."""

    kind = StageKind.ENRICH

    def setup(self) -> None:
        self._index = PassageIndex(guest_passages("profile"))
        self._preferences = Preferences()

    def teardown(self) -> None:
        self._index.close()
        self._preferences.close()

    def execute(self, ctx: StageContext) -> StageOutput:
        room = room_of(ctx)
        return StageOutput.ok(
            found=look_up(ctx, self._index, "profile", owner=room),
            preferences=self._preferences.of(room),
        )


def room_of(ctx: StageContext) -> str:
    """The room in which the assistant stands."""
    return str(ctx.snapshot.metadata["room"])


def look_up(
    ctx: StageContext, index: PassageIndex, source: str, *, owner: str = ""
) -> dict[str, Any]:
    """The passages that fit the question best, as the plain form of a ``SearchResponse``."""
    started = time.perf_counter()
    question = ctx.inputs.require_from("hear", "question")
    results = tuple(
        SearchResult(url=f"{source}/{hit.key}", title=hit.title, snippet=hit.text, score=hit.score)
        for hit in index.search(question, owner=owner)
    )
    found = SearchResponse(
        query=question,
        results=results,
        provider="sqlite-fts5",
        latency_ms=(time.perf_counter() - started) * 1000,
    )
    return found.to_dict()
