"""The stage that hears: a recording in, its words out."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

from stageflow_actors import StageContext, StageKind, StageOutput, STTResponse

from .wav import SAMPLE_RATE, Samples, read_recording

LEAST_SPEECH_S = 0.3
"""With less speech than this in it, a recording is silence or noise."""
MARGIN_S = 0.3
"""What is kept before and after the speech."""


class SpeechToText:
    """Any English sentence: PocketSphinx with the model and the 126,000 words of its package."""

    kind = StageKind.TRANSFORM

    async def setup(self) -> None:
        self._turn = threading.Lock()  # one recogniser, which hears one recording at a time
        self._recogniser = await asyncio.to_thread(load_recogniser)

    async def teardown(self) -> None:
        del self._recogniser

    def execute(self, ctx: StageContext) -> StageOutput:
        """Hear the WAV file that ``input_text`` is the path of. Blocks: this runs in a thread."""
        started = time.perf_counter()
        path = Path(ctx.snapshot.input_text or "")
        speech = speech_in(read_recording(path))
        if not speech.size:
            return StageOutput.cancel(f"There is no speech in {path}.")
        with self._turn:
            ctx.raise_if_cancelled()
            words = words_in(self._recogniser, speech)
        if not words:
            return StageOutput.cancel(f"There are no words to be heard in {path}.")
        heard = STTResponse(
            text=" ".join(word["word"] for word in words),
            words=words,
            confidence=_mean_confidence(words),
            language="en-US",
            provider="pocketsphinx",
            model="en-us",
            duration_ms=speech.size / SAMPLE_RATE * 1000,
            latency_ms=(time.perf_counter() - started) * 1000,
        )
        return StageOutput.ok(question=heard.text, speech=heard.to_dict())


def speech_in(samples: Samples) -> Samples:
    """The part from the first to the last voice, with a margin; empty where nobody speaks."""
    from pocketsphinx import Vad

    detector = Vad(sample_rate=SAMPLE_RATE)
    frame = detector.frame_bytes // 2
    starts = range(0, samples.size - frame + 1, frame)
    voiced = [at for at in starts if detector.is_speech(samples[at : at + frame].tobytes())]
    if len(voiced) * frame < LEAST_SPEECH_S * SAMPLE_RATE:
        return samples[:0]
    margin = int(MARGIN_S * SAMPLE_RATE)
    return samples[max(voiced[0] - margin, 0) : voiced[-1] + frame + margin]


def load_recogniser() -> Any:
    """The decoder, as its package sets it up: any sentence of its dictionary."""
    from pocketsphinx import Decoder

    return Decoder(loglevel="ERROR")


def words_in(recogniser: Any, speech: Samples) -> list[dict[str, Any]]:
    """Words with their times in seconds, and how sure the recogniser is of each, 0 to 1."""
    recogniser.start_utt()
    recogniser.process_raw(speech.tobytes(), full_utt=True)
    recogniser.end_utt()
    if recogniser.hyp() is None:
        return []
    frames_per_s = recogniser.config["frate"]
    return [
        {
            "word": part.word.partition("(")[0],  # "read(2)" is a second way to say "read"
            "start_s": part.start_frame / frames_per_s,
            "end_s": (part.end_frame + 1) / frames_per_s,
            "confidence": min(max(part.prob, 0.0), 1.0),
        }
        for part in recogniser.seg()
        if part.word[0] not in "<["  # silence and noises
    ]


def _mean_confidence(words: list[dict[str, Any]]) -> float:
    """Long words count more than short ones."""
    lengths = [word["end_s"] - word["start_s"] for word in words]
    weighted = sum(word["confidence"] * length for word, length in zip(words, lengths, strict=True))
    return float(weighted / sum(lengths))
