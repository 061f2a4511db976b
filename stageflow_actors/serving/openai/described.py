"""The routes of the OpenAI API in the OpenAPI document: what they take, and what they answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from stageflow_actors.serving.openai.declaration import Endpoint
from stageflow_actors.serving.openai.documents import (
    ChatCompletion,
    ModelCard,
    ModelList,
    OpenAIError,
    Transcription,
)
from stageflow_actors.serving.openai.models import Model
from stageflow_actors.serving.openai.requests import ChatRequest, SpeechRequest
from stageflow_actors.serving.openai.speeches import MEDIA_TYPES
from stageflow_actors.serving.openai.transcripts import TranscriptFormat

DESCRIBED: tuple[type[BaseModel], ...] = (
    ChatCompletion,
    ChatRequest,
    ModelCard,
    ModelList,
    OpenAIError,
    SpeechRequest,
    Transcription,
)
"""The models that the operations refer to."""

Json = dict[str, Any]

_REFERENCE = "#/components/schemas/"
_JSON = "application/json"


class OpenAIOperations:
    """Fills in the operations, for the models that there are."""

    def __init__(self, models: Iterable[Model]) -> None:
        self._models = list(models)

    def fill(self, path: str, operation: Json) -> bool:
        """Whether the route is one of these; then its body and its answers are filled in."""
        content: Json
        if path == "/v1/models":
            content = _json(ModelList)
        elif path == "/v1/models/{model}":
            operation["parameters"][0]["schema"] = self._name(None)
            content = _json(ModelCard)
        elif path == "/v1/chat/completions":
            operation["requestBody"] = self._body(ChatRequest, Endpoint.CHAT)
            content = {**_json(ChatCompletion), "text/event-stream": {"schema": {"type": "string"}}}
        elif path == "/v1/audio/speech":
            operation["requestBody"] = self._body(SpeechRequest, Endpoint.SPEECH)
            sound = {"schema": {"type": "string", "format": "binary"}}
            content = dict.fromkeys(MEDIA_TYPES.values(), sound)
        elif path == "/v1/audio/transcriptions":
            operation["requestBody"] = self._form()
            content = {**_json(Transcription), "text/plain": {"schema": {"type": "string"}}}
        else:
            return False
        operation["responses"] = {
            "200": {"description": "Done", "content": content},
            "default": {"description": "No answer", "content": _json(OpenAIError)},
        }
        return True

    def _body(self, model: type[BaseModel], endpoint: Endpoint) -> Json:
        named = {"properties": {"model": self._name(endpoint)}}
        schema = {"allOf": [{"$ref": f"{_REFERENCE}{model.__name__}"}, named]}
        return {"required": True, "content": {_JSON: {"schema": schema}}}

    def _form(self) -> Json:
        text: Json = {"type": "string"}
        schema: Json = {
            "type": "object",
            "required": ["file", "model"],
            "properties": {
                "file": {"type": "string", "format": "binary"},
                "model": self._name(Endpoint.TRANSCRIPTION),
                "response_format": {"type": "string", "enum": [*map(str, TranscriptFormat)]},
                "language": text,
                "prompt": text,
                "temperature": {"type": "number"},
            },
        }
        return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}

    def _name(self, endpoint: Endpoint | None) -> Json:
        names = [each.name for each in self._models if endpoint is None or endpoint in each.paths]
        return {"type": "string", "enum": names} if names else {"type": "string"}


def _json(model: type[BaseModel]) -> Json:
    return {_JSON: {"schema": {"$ref": f"{_REFERENCE}{model.__name__}"}}}
