"""Text to speech that is heard while it is made."""

from __future__ import annotations

import asyncio

from stageflow_actors import Pipeline, StageContext, StageKind, StageOutput

from .espeak_ng import EspeakNG
from .served_answering import sentences_of
from .text_to_speech import VOICE

SAMPLE_RATE = 22_050
"""Hertz of eSpeak NG's voices."""
WORDS_PER_MINUTE = 160


class SpeakInPieces:
    """Streams the samples of each sentence as soon as there are any: 16 bits, one channel."""

    kind = StageKind.TRANSFORM

    async def setup(self) -> None:
        self._voice = await asyncio.to_thread(EspeakNG, VOICE)
        assert self._voice.sample_rate == SAMPLE_RATE, "the model says so"

    async def teardown(self) -> None:
        await asyncio.to_thread(self._voice.close)

    def execute(self, ctx: StageContext) -> StageOutput:
        speed = ctx.data["openai"].get("speed", 1.0)
        pace = int(WORDS_PER_MINUTE * min(max(speed, 0.5), 2.0))
        spoken = bytearray()
        for sentence in sentences_of(ctx.snapshot.input_text or ""):
            samples = self._voice.say(sentence, pace)
            ctx.stream.send_blocking(samples)
            spoken += samples
        return StageOutput.ok(audio=bytes(spoken))


def speaking() -> Pipeline:
    """A text in, samples in ``speak.audio`` out."""
    return Pipeline("speaking").with_stage("speak", SpeakInPieces)
