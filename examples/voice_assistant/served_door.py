"""The assistant behind HTTP: three pipelines, as models for clients of the OpenAI API.

python -m examples.voice_assistant.served_door
"""

from __future__ import annotations

import uvicorn
from fastapi import FastAPI

from stageflow_actors import LocalRuntime
from stageflow_actors.serving import OpenAIModel, ServedPipeline, build_app

from .served_answering import answering
from .served_hearing import hearing
from .served_speaking import SAMPLE_RATE, speaking


def make_door() -> FastAPI:
    """Answers whoever is on this machine; anywhere else it wants a ``TokenVerifier``."""
    return build_app(
        [
            ServedPipeline(hearing(), openai=OpenAIModel(transcription="hear.speech")),
            ServedPipeline(answering(), openai={"hotel": OpenAIModel(chat="tell.text")}),
            ServedPipeline(
                speaking(),
                openai=OpenAIModel(
                    speech="speak.audio", speech_format="pcm", sample_rate=SAMPLE_RATE
                ),
            ),
        ],
        runtime=LocalRuntime(),
        insecure_loopback=True,
    )


if __name__ == "__main__":
    uvicorn.run(make_door(), host="127.0.0.1", port=8000)
