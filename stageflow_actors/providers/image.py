"""``ImageResponse``: pictures that a model made."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from stageflow_actors.providers import semconv
from stageflow_actors.providers.record import Count, FrozenRecord, Label, count_bytes
from stageflow_actors.providers.response import AttributeValue, ProviderResponse


class GeneratedImage(FrozenRecord):
    """One picture: where it is, or its bytes. The JSON form has only the number of bytes."""

    url: str | None = None
    data: Annotated[bytes, Field(exclude=True, repr=False)] = b""

    byte_count: Count = 0
    """Bytes of the picture; taken from ``data`` where that is given."""

    media_type: Label | None = None
    width: Count | None = None
    height: Count | None = None

    revised_prompt: str | None = None
    """What the provider drew instead of what it was asked for."""

    @model_validator(mode="before")
    @classmethod
    def _count_bytes(cls, fields: Any) -> Any:
        return count_bytes(fields, "data")


class ImageResponse(ProviderResponse):
    """Pictures, in the order the provider returned them."""

    images: Annotated[tuple[GeneratedImage, ...], Field(strict=False)]
    operation: Label = semconv.OPERATION_GENERATE_CONTENT

    def _attributes(self) -> dict[str, AttributeValue | None]:
        return {
            **super()._attributes(),
            semconv.GEN_AI_OUTPUT_TYPE: semconv.OUTPUT_TYPE_IMAGE,
            semconv.STAGEFLOW_PROVIDER_RESULT_COUNT: len(self.images),
        }
