"""The voice assistant, as models for clients of the OpenAI API. It needs the extra ``examples``."""

from __future__ import annotations

from examples.voice_assistant import served_answering, served_hearing, served_speaking
from stageflow_actors.serving import OpenAIModel, ServedPipeline


def hearing() -> ServedPipeline:
    """Speech to text."""
    return ServedPipeline(served_hearing.hearing(), openai=OpenAIModel(transcription="hear.speech"))


def answering() -> ServedPipeline:
    """Answers of the hotel; chats name it ``hotel``."""
    return ServedPipeline(
        served_answering.answering(), openai={"hotel": OpenAIModel(chat="tell.text")}
    )


def speaking() -> ServedPipeline:
    """Text to speech."""
    return ServedPipeline(
        served_speaking.speaking(),
        openai=OpenAIModel(
            speech="speak.audio",
            speech_format="pcm",
            sample_rate=served_speaking.SAMPLE_RATE,
        ),
    )
