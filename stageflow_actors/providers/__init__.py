"""Records of provider calls: one form for what every kind of provider answers and what it cost."""

from stageflow_actors.providers.image import GeneratedImage, ImageResponse
from stageflow_actors.providers.language import LLMResponse
from stageflow_actors.providers.measures import Cost, RateLimit, Usage
from stageflow_actors.providers.response import AttributeValue, ProviderResponse
from stageflow_actors.providers.retrieval import (
    EmbeddingResponse,
    RerankResponse,
    RerankResult,
    SearchResponse,
    SearchResult,
)
from stageflow_actors.providers.speech import STTResponse, TTSResponse

__all__ = (
    "AttributeValue",
    "Cost",
    "EmbeddingResponse",
    "GeneratedImage",
    "ImageResponse",
    "LLMResponse",
    "ProviderResponse",
    "RateLimit",
    "RerankResponse",
    "RerankResult",
    "STTResponse",
    "SearchResponse",
    "SearchResult",
    "TTSResponse",
    "Usage",
)
