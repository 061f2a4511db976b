"""What clients of OpenAI ask, as models; and the run that comes of it.

Members that are not named here are taken as they are: stages find the whole request in
``data["openai"]``.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from stageflow_actors.model.conversation import Conversation, Message
from stageflow_actors.serving.bodies import RunBody
from stageflow_actors.serving.faults import Fault, ProblemError

Flag = Annotated[bool, Field(strict=True)]
Text = Annotated[str, Field(strict=True)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)

    model: Text
    """The name of a model that `GET /v1/models` lists."""


class ContentPart(BaseModel):
    """A part of a message. Only those of the type `text` are read here."""

    model_config = ConfigDict(extra="allow", frozen=True)

    type: Text
    text: Text | None = None


class ChatMessage(BaseModel):
    """A message of a chat."""

    model_config = ConfigDict(extra="allow", frozen=True)

    role: Text
    content: Text | list[ContentPart] | None = None

    @property
    def words(self) -> str:
        """Its text; parts stand below each other."""
        if self.content is None or isinstance(self.content, str):
            return self.content or ""
        return "\n".join(part.text for part in self.content if part.text is not None)


class StreamOptions(BaseModel):
    """How an answer is streamed."""

    model_config = ConfigDict(extra="allow", frozen=True)

    include_usage: Flag | None = None


class ChatRequest(_Request):
    """A chat. The last message of the user is the question, those before it the conversation."""

    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    stream: Flag | None = None
    stream_options: StreamOptions | None = None
    metadata: dict[str, Any] | None = None
    """Becomes the metadata of the run."""
    n: Annotated[int, Field(strict=True, ge=1, le=1)] | None = None
    """There is one answer."""

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with what it has cost."""
        return self.stream_options is not None and bool(self.stream_options.include_usage)

    def run_body(self, asked: dict[str, Any]) -> RunBody:
        """The run for it; ``asked`` is the request as it came.

        Raises:
            ProblemError: no message is the user's.
        """
        users = [place for place, each in enumerate(self.messages) if each.role == "user"]
        if not users:
            raise ProblemError(Fault.INPUT, "No message has the role user.", param="messages")
        before = tuple(
            Message(role=each.role, content=each.words, timestamp=None)
            for each in self.messages[: users[-1]]
        )
        return RunBody(
            input_text=self.messages[users[-1]].words,
            data={"openai": asked},
            metadata=self.metadata or {},
            conversation=Conversation(messages=before) if before else None,
        )


class SpeechRequest(_Request):
    """A text to speak."""

    input: Text
    voice: Text | dict[str, Any] | None = None
    response_format: Text | None = None
    stream_format: Text | None = None

    def run_body(self, asked: dict[str, Any]) -> RunBody:
        """The run for it; ``asked`` is the request as it came."""
        return RunBody(input_text=self.input, data={"openai": asked})
