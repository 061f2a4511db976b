"""``EmbeddingResponse``, ``RerankResponse``, ``SearchResponse``: finding and ordering."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from stageflow_actors.providers import semconv
from stageflow_actors.providers.record import Count, FrozenRecord, Label
from stageflow_actors.providers.response import AttributeValue, ProviderResponse

Vector = Annotated[tuple[float, ...], Field(strict=False)]


class EmbeddingResponse(ProviderResponse):
    """Vectors, in the order of the inputs."""

    vectors: Annotated[tuple[Vector, ...], Field(strict=False)]
    operation: Label = semconv.OPERATION_EMBEDDINGS

    @property
    def dimensions(self) -> int:
        """Length of the vectors; 0 where there are none."""
        return len(self.vectors[0]) if self.vectors else 0

    def _attributes(self) -> dict[str, AttributeValue | None]:
        return {
            **super()._attributes(),
            semconv.GEN_AI_EMBEDDINGS_DIMENSION_COUNT: self.dimensions or None,
            semconv.STAGEFLOW_PROVIDER_RESULT_COUNT: len(self.vectors),
        }


class RerankResult(FrozenRecord):
    """Where a document stood among the inputs, and how well it fits."""

    index: Count
    score: float
    document: str | None = None


class RerankResponse(ProviderResponse):
    """Documents in their new order, the best one first."""

    results: Annotated[tuple[RerankResult, ...], Field(strict=False)]
    operation: Label = semconv.OPERATION_RERANK

    def _attributes(self) -> dict[str, AttributeValue | None]:
        return {
            **super()._attributes(),
            semconv.STAGEFLOW_PROVIDER_RESULT_COUNT: len(self.results),
        }


class SearchResult(FrozenRecord):
    """One hit."""

    url: str
    title: str | None = None
    snippet: str | None = None
    score: float | None = None


class SearchResponse(ProviderResponse):
    """What a search engine or a search service found, the best hit first."""

    results: Annotated[tuple[SearchResult, ...], Field(strict=False)]
    operation: Label = semconv.OPERATION_RETRIEVAL
    query: str | None = None

    def _attributes(self) -> dict[str, AttributeValue | None]:
        return {
            **super()._attributes(),
            semconv.STAGEFLOW_PROVIDER_RESULT_COUNT: len(self.results),
        }
