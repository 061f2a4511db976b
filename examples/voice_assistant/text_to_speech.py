"""The stage that speaks: a text in, a WAV file out.

Sound stays in files, on the way in and on the way out: the run carries only their paths.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from stageflow_actors import StageContext, StageKind, StageOutput, TTSResponse

from .espeak_ng import EspeakNG
from .wav import wav_bytes

VOICE = "en-us"


class TextToSpeech:
    """Speaks with eSpeak NG, as fast as the guest likes."""

    kind = StageKind.TRANSFORM

    async def setup(self) -> None:
        self._voice = await asyncio.to_thread(EspeakNG, VOICE)

    async def teardown(self) -> None:
        await asyncio.to_thread(self._voice.close)

    def execute(self, ctx: StageContext) -> StageOutput:
        started = time.perf_counter()
        text = ctx.inputs.require_from("output_guard", "text")
        speed = ctx.inputs.require_from("profile", "preferences")["words_per_minute"]
        samples = self._voice.say(text, speed)
        spoken = TTSResponse(
            audio=wav_bytes(samples, self._voice.sample_rate),
            format="wav",
            sample_rate=self._voice.sample_rate,
            channels=1,
            voice=VOICE,
            provider="espeak-ng",
            duration_ms=len(samples) / 2 / self._voice.sample_rate * 1000,
            characters_processed=len(text),
            latency_ms=(time.perf_counter() - started) * 1000,
        )
        output = Path(ctx.snapshot.metadata["output"])
        output.write_bytes(spoken.audio)
        return StageOutput.ok(path=str(output), speech=spoken.to_dict())
