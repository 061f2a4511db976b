"""``STTResponse`` and ``TTSResponse``: what was heard, and what was said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Unpack

from pydantic import Field, model_validator

from stageflow_actors.providers import semconv
from stageflow_actors.providers.record import Amount, Count, Label, PlainDicts, count_bytes
from stageflow_actors.providers.response import (
    AttributeValue,
    CallFields,
    ProviderResponse,
    output_message,
)

Positive = Annotated[int, Field(gt=0, le=2**31)]


class STTResponse(ProviderResponse):
    """A transcript. An interim one has ``is_final=False``."""

    text: str
    operation: Label = semconv.OPERATION_SPEECH_TO_TEXT
    confidence: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None

    words: PlainDicts = Field(default_factory=list)
    """Words with their times, in the provider's own form."""

    is_final: bool = True
    language: Label | None = None

    duration_ms: Amount | None = None
    """Length of the audio. What the provider bills is ``usage.audio_seconds``."""

    def contents(self) -> dict[str, AttributeValue]:
        return output_message(self.text, self.finish_reason)

    def _attributes(self) -> dict[str, AttributeValue | None]:
        return {
            **super()._attributes(),
            semconv.STAGEFLOW_SPEECH_CONFIDENCE: self.confidence,
            semconv.STAGEFLOW_SPEECH_IS_FINAL: self.is_final,
            semconv.STAGEFLOW_SPEECH_LANGUAGE: self.language,
            semconv.STAGEFLOW_AUDIO_DURATION_MS: self.duration_ms,
        }


class TTSResponse(ProviderResponse):
    """Speech. Its JSON form has no ``audio``: read back, it only says how much there was."""

    flat_counts: ClassVar[tuple[tuple[str, str], ...]] = (("characters_processed", "characters"),)

    audio: Annotated[bytes, Field(exclude=True, repr=False)] = b""
    operation: Label = semconv.OPERATION_TEXT_TO_SPEECH

    byte_count: Count = 0
    """Bytes of audio; taken from ``audio`` where that is given."""

    format: Label | None = None
    sample_rate: Positive | None = None
    """Hertz."""

    channels: Positive | None = None
    voice: Label | None = None
    duration_ms: Amount | None = None
    """Length of the audio."""

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            audio: bytes = b"",
            provider: str,
            model: str | None = None,
            byte_count: int = 0,
            format: str | None = None,
            sample_rate: int | None = None,
            channels: int | None = None,
            voice: str | None = None,
            duration_ms: float | None = None,
            characters_processed: int | None = None,
            **call: Unpack[CallFields],
        ) -> None: ...

    @model_validator(mode="before")
    @classmethod
    def _count_bytes(cls, data: Any) -> Any:
        return count_bytes(data, "audio")

    @property
    def characters_processed(self) -> int:
        """Characters that were turned into speech; 0 where they were not counted."""
        return self.usage.characters or 0

    def _attributes(self) -> dict[str, AttributeValue | None]:
        return {
            **super()._attributes(),
            semconv.GEN_AI_OUTPUT_TYPE: semconv.OUTPUT_TYPE_SPEECH,
            semconv.STAGEFLOW_SPEECH_VOICE: self.voice,
            semconv.STAGEFLOW_AUDIO_BYTE_COUNT: self.byte_count,
            semconv.STAGEFLOW_AUDIO_CHANNELS: self.channels,
            semconv.STAGEFLOW_AUDIO_DURATION_MS: self.duration_ms,
            semconv.STAGEFLOW_AUDIO_FORMAT: self.format,
            semconv.STAGEFLOW_AUDIO_SAMPLE_RATE: self.sample_rate,
        }
