"""``SpeechStream``: speech as bytes, as it is made."""

from __future__ import annotations

import struct
from collections.abc import AsyncGenerator
from contextlib import aclosing
from types import MappingProxyType

from stageflow_actors.serving.openai.declaration import Endpoint, SpeechFormat
from stageflow_actors.serving.openai.failures import Failure
from stageflow_actors.serving.openai.following import Following
from stageflow_actors.serving.openai.models import Model
from stageflow_actors.serving.openai.streamed import StreamedAnswer
from stageflow_actors.serving.service import Service

MEDIA_TYPES = MappingProxyType(
    {
        SpeechFormat.MP3: "audio/mpeg",
        SpeechFormat.OPUS: "audio/ogg",
        SpeechFormat.AAC: "audio/aac",
        SpeechFormat.FLAC: "audio/flac",
        SpeechFormat.WAV: "audio/wav",
        SpeechFormat.PCM: "audio/pcm",
    }
)
_UNKNOWN_SIZE = 0xFFFFFFFF
_WAV_HEAD = 36
"""Bytes of the head after those that its own size does not count."""


class SpeechStream(StreamedAnswer):
    """The bytes that stages stream to the user; where they stream none, those of the output."""

    def __init__(
        self, service: Service, tenant: str, run: Following, model: Model, format_: SpeechFormat
    ) -> None:
        super().__init__(service, tenant, run, MEDIA_TYPES[format_])
        self._model = model
        declared = model.declared
        needs_head = format_ is not declared.speech_format and format_ is SpeechFormat.WAV
        self._wav_rate = declared.sample_rate if needs_head else None

    async def parts(self) -> AsyncGenerator[bytes, None]:
        """Pieces of bytes, or the whole."""
        is_told = False
        async with aclosing(self.run.pieces()) as pieces:
            async for piece in pieces:
                if not isinstance(piece, bytes) or not piece:
                    continue
                if not is_told and self._wav_rate is not None:
                    yield wav_head(self._wav_rate, None)
                yield piece
                is_told = True
        outcome = await self.run.outcome()
        outcome.check()
        if not is_told:
            audio = outcome.audio(self._model.paths[Endpoint.SPEECH])
            if self._wav_rate is not None:
                yield wav_head(self._wav_rate, len(audio))
            yield audio

    def last_words(self, failure: Failure) -> None:
        """Half a sound has no place for words: the answer breaks off, which clients notice."""


def wav_head(rate: int, size: int | None) -> bytes:
    """What stands before ``size`` bytes of samples, of one channel and 16 bits.

    Without a size it says the largest, as is usual where more is to come.
    """
    data = _UNKNOWN_SIZE if size is None else size
    whole = _UNKNOWN_SIZE if size is None else size + _WAV_HEAD
    form = struct.pack("<HHIIHH", 1, 1, rate, rate * 2, 2, 16)
    return b"".join(
        (
            struct.pack("<4sI4s", b"RIFF", whole, b"WAVE"),
            struct.pack("<4sI", b"fmt ", len(form)),
            form,
            struct.pack("<4sI", b"data", data),
        )
    )
