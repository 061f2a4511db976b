"""``Conversation``: what was said before, and to whom it was routed."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from stageflow_actors.model.frozen import FrozenDict
from stageflow_actors.model.identity import utc_now
from stageflow_actors.model.plain import PlainDict, Time
from stageflow_actors.model.validated import FrozenModel, revive


class Message(FrozenModel):
    """One message; ``role`` is ``user``, ``assistant``, or a name of the application's own."""

    role: str
    content: str
    timestamp: Time | None = Field(default_factory=utc_now)
    metadata: PlainDict = Field(default_factory=FrozenDict)


class ConversationRouting(FrozenModel):
    """Who should answer, and why."""

    agent_id: str | None = None
    pipeline_name: str | None = None
    topology: str | None = None
    reason: str | None = None


class Conversation(FrozenModel):
    """Messages, the oldest first, and the routing decision, if one was made."""

    messages: tuple[Message, ...] = ()
    routing_decision: ConversationRouting | None = None

    @property
    def last_user_message(self) -> Message | None:
        """The newest message whose role is ``user``."""
        return self._last_of("user")

    @property
    def last_assistant_message(self) -> Message | None:
        """The newest message whose role is ``assistant``."""
        return self._last_of("assistant")

    @property
    def message_count(self) -> int:
        """How many messages there are."""
        return len(self.messages)

    def with_message(self, message: Message) -> Conversation:
        """A copy with ``message`` at the end.

        Raises:
            pydantic.ValidationError: it is no message.
        """
        return self.model_copy(update={"messages": (*self.messages, message)})

    def _last_of(self, role: str) -> Message | None:
        return next((m for m in reversed(self.messages) if m.role == role), None)

    def packed(self) -> tuple[Any, ...]:
        if type(self) is not Conversation:
            return super().packed()
        # Messages are many, so they travel as bare values.
        return tuple([message.packed() for message in self.messages]), self.routing_decision

    @classmethod
    def unpacked(cls, packed: tuple[Any, ...]) -> tuple[Any, ...]:
        if cls is not Conversation:
            return packed
        messages, routing_decision = packed
        return tuple([revive(Message, *values) for values in messages]), routing_decision
