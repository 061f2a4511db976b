"""One record of every kind with every field set, and texts that must stay out of attributes."""

from __future__ import annotations

from decimal import Decimal

from stageflow_actors.providers import (
    Cost,
    EmbeddingResponse,
    GeneratedImage,
    ImageResponse,
    LLMResponse,
    ProviderResponse,
    RateLimit,
    RerankResponse,
    RerankResult,
    SearchResponse,
    SearchResult,
    STTResponse,
    TTSResponse,
    Usage,
)

SAID = "what somebody said"

ALL_COUNTED = Usage(
    **{
        name: number for number, name in enumerate(Usage.model_fields, 1) if name != "audio_seconds"
    },
    audio_seconds=1.5,
)
CALL = {
    "provider": "acme",
    "model": "acme-1",
    "response_model": "acme-1-0613",
    "latency_ms": 1500.0,
    "time_to_first_output_ms": 250.0,
    "usage": ALL_COUNTED,
    "cost": Cost(amount=Decimal("0.0021"), currency="USD"),
    "finish_reason": "stop",
    "rate_limit": RateLimit(limit=100, remaining=99, reset_ms=60000.0),
    "request_id": "req-1",
    "response_id": "resp-1",
    "conversation_id": "conv-1",
}
RECORDS = [
    ProviderResponse(operation="moderation", **CALL),
    LLMResponse(
        content=SAID, tool_calls=[{"name": "find", "arguments": {"text": [SAID, 1.5]}}], **CALL
    ),
    STTResponse(
        text=SAID,
        confidence=0.9,
        words=[{"word": SAID, "start": 0.5}],
        is_final=False,
        language="en",
        duration_ms=2000.0,
        **CALL,
    ),
    TTSResponse(
        byte_count=3,
        format="pcm_16",
        sample_rate=16000,
        channels=1,
        voice="v",
        duration_ms=5.0,
        **CALL,
    ),
    EmbeddingResponse(vectors=[[0.25, 0.5], [0.75, 1.0]], **CALL),
    RerankResponse(
        results=[RerankResult(index=1, score=0.9, document=SAID), RerankResult(index=0, score=0.1)],
        **CALL,
    ),
    SearchResponse(
        query=SAID,
        results=[SearchResult(url=f"https://{SAID}", title=SAID, snippet=SAID, score=1.0)],
        **CALL,
    ),
    ImageResponse(
        images=[
            GeneratedImage(
                url=SAID,
                byte_count=9,
                media_type="image/png",
                width=2,
                height=1,
                revised_prompt=SAID,
            )
        ],
        **CALL,
    ),
]


def kind_of(record) -> str:
    return type(record).__name__
