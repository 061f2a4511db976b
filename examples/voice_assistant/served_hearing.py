"""Speech to text of a recording that was sent, not of a file that is there."""

from __future__ import annotations

import tempfile
from pathlib import Path

from stageflow_actors import Pipeline, StageContext, StageOutput, STTResponse

from .problems import BadRecordingError
from .speech_to_text import SpeechToText, speech_in, words_in
from .wav import SAMPLE_RATE, Samples, read_recording


class HearUpload(SpeechToText):
    """Hears the WAV file whose bytes are ``data["audio"]``."""

    def execute(self, ctx: StageContext) -> StageOutput:
        try:
            speech = speech_in(samples_of(ctx.data["audio"]))
        except BadRecordingError as problem:  # its message has the path of a file here
            return StageOutput.cancel(f"The recording cannot be used. {problem.hint}")
        if not speech.size:
            return StageOutput.cancel("There is no speech in the recording.")
        with self._turn:
            ctx.raise_if_cancelled()
            words = words_in(self._recogniser, speech)
        heard = STTResponse(
            text=" ".join(word["word"] for word in words),
            words=words,
            language="en-US",
            provider="pocketsphinx",
            model="en-us",
            duration_ms=speech.size / SAMPLE_RATE * 1000,
        )
        return StageOutput.ok(speech=heard.to_dict())


def samples_of(recording: bytes) -> Samples:
    """The samples of a WAV file.

    Raises:
        BadRecordingError: it is none, or cannot be used.
    """
    with tempfile.TemporaryDirectory(prefix="heard-") as folder:
        path = Path(folder) / "question.wav"
        path.write_bytes(recording)
        return read_recording(path)


def hearing() -> Pipeline:
    """A recording in, an ``STTResponse`` in ``hear.speech`` out."""
    return Pipeline("hearing").with_stage("hear", HearUpload)
