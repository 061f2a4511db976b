"""The form of what the routes answer, as models: for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ErrorParts(_Document):
    """Why there is no answer. `code` is stable."""

    message: str
    type: str
    param: str | None
    code: str


class OpenAIError(_Document):
    """A refusal, or a run that came to no answer."""

    error: ErrorParts


class ModelCard(_Document):
    """A model that can be asked. It is owned by its pipeline."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(_Document):
    """Every model."""

    object: Literal["list"]
    data: list[ModelCard]


class AnswerMessage(_Document):
    """The answer, or why a stage has declined to give one."""

    role: Literal["assistant"]
    content: str | None
    refusal: str | None


class AnswerChoice(_Document):
    """The only one."""

    index: int
    message: AnswerMessage
    finish_reason: Literal["stop", "content_filter"]
    logprobs: None


class TokenUsage(_Document):
    """Tokens that the answer has cost, where the pipeline says."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: dict[str, Any] = Field(default_factory=dict)
    completion_tokens_details: dict[str, Any] = Field(default_factory=dict)


class ChatCompletion(_Document):
    """An answer as a whole. Its `id` ends with that of the run."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[AnswerChoice]
    usage: TokenUsage | None = None


class TimedWord(_Document):
    """A word, and when it is said, in seconds."""

    word: str
    start: float
    end: float


class Transcription(_Document):
    """What was heard; of `verbose_json` all of it."""

    text: str
    task: Literal["transcribe"] | None = None
    language: str | None = None
    duration: float | None = None
    words: list[TimedWord] | None = None
