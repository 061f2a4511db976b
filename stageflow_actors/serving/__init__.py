"""The door: pipelines behind HTTP, as an ASGI application. Needs the extra ``serve``."""

from stageflow_actors.serving.application import build_app
from stageflow_actors.serving.faults import ServingError
from stageflow_actors.serving.openai.declaration import OpenAIModel, SpeechFormat
from stageflow_actors.serving.served import OnDisconnect, ServedPipeline
from stageflow_actors.serving.settings import ServingSettings

__all__ = (
    "OnDisconnect",
    "OpenAIModel",
    "ServedPipeline",
    "ServingError",
    "ServingSettings",
    "SpeechFormat",
    "build_app",
)
