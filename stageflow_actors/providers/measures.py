"""What a call used, what it cost, and how much more the provider allows."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from stageflow_actors.providers import semconv
from stageflow_actors.providers.record import Amount, Count, FrozenRecord


class Usage(FrozenRecord):
    """What the provider counted; ``None`` where it did not count.

    The totals include their parts: ``input_tokens`` the cached ones and those of every modality,
    ``output_tokens`` those spent on reasoning. Providers that report parts apart are to be added up
    where the record is made.
    """

    input_tokens: Count | None = None
    output_tokens: Count | None = None

    cached_tokens: Count | None = None
    """Input tokens that were read from the provider's cache."""

    cache_write_tokens: Count | None = None
    """Input tokens that were written to the provider's cache."""

    reasoning_tokens: Count | None = None

    text_input_tokens: Count | None = None
    text_output_tokens: Count | None = None
    text_cached_tokens: Count | None = None
    audio_input_tokens: Count | None = None
    audio_output_tokens: Count | None = None
    audio_cached_tokens: Count | None = None
    image_input_tokens: Count | None = None
    image_output_tokens: Count | None = None
    image_cached_tokens: Count | None = None

    characters: Count | None = None
    """Characters, where the provider counts (and bills) those."""

    audio_seconds: Amount | None = None
    images: Count | None = None
    searches: Count | None = None


USAGE_ATTRIBUTES = (
    ("input_tokens", semconv.GEN_AI_USAGE_INPUT_TOKENS),
    ("output_tokens", semconv.GEN_AI_USAGE_OUTPUT_TOKENS),
    ("cached_tokens", semconv.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS),
    ("cache_write_tokens", semconv.GEN_AI_USAGE_CACHE_WRITE_INPUT_TOKENS),
    ("reasoning_tokens", semconv.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS),
    ("text_input_tokens", semconv.GEN_AI_USAGE_TEXT_INPUT_TOKENS),
    ("text_output_tokens", semconv.GEN_AI_USAGE_TEXT_OUTPUT_TOKENS),
    ("text_cached_tokens", semconv.GEN_AI_USAGE_TEXT_CACHE_READ_INPUT_TOKENS),
    ("audio_input_tokens", semconv.GEN_AI_USAGE_AUDIO_INPUT_TOKENS),
    ("audio_output_tokens", semconv.GEN_AI_USAGE_AUDIO_OUTPUT_TOKENS),
    ("audio_cached_tokens", semconv.GEN_AI_USAGE_AUDIO_CACHE_READ_INPUT_TOKENS),
    ("image_input_tokens", semconv.GEN_AI_USAGE_IMAGE_INPUT_TOKENS),
    ("image_output_tokens", semconv.GEN_AI_USAGE_IMAGE_OUTPUT_TOKENS),
    ("image_cached_tokens", semconv.GEN_AI_USAGE_IMAGE_CACHE_READ_INPUT_TOKENS),
    ("characters", semconv.STAGEFLOW_USAGE_CHARACTERS),
    ("audio_seconds", semconv.STAGEFLOW_USAGE_AUDIO_SECONDS),
    ("images", semconv.STAGEFLOW_USAGE_IMAGES),
    ("searches", semconv.STAGEFLOW_USAGE_SEARCHES),
)
"""Field of ``Usage`` and name of its attribute, for every field."""


class Cost(FrozenRecord):
    """What the call cost. Exact, as money should be: a string in JSON."""

    amount: Annotated[Decimal, Field(strict=False, ge=0, max_digits=38)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    """ISO 4217, such as ``USD``."""


class RateLimit(FrozenRecord):
    """What the provider said about its limit when it answered."""

    limit: Count | None = None
    remaining: Count | None = None
    reset_ms: Amount | None = None
    """Milliseconds from the answer until the limit is whole again."""
