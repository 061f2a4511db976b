"""``LLMResponse``: what a language model answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Unpack

from pydantic import Field

from stageflow_actors.providers import semconv
from stageflow_actors.providers.record import Label, PlainDicts
from stageflow_actors.providers.response import (
    AttributeValue,
    CallFields,
    ProviderResponse,
    output_message,
)


class LLMResponse(ProviderResponse):
    """The answer of a language model. Token counts may be given flat or inside ``usage``."""

    flat_counts: ClassVar[tuple[tuple[str, str], ...]] = (
        ("input_tokens", "input_tokens"),
        ("output_tokens", "output_tokens"),
        ("cached_tokens", "cached_tokens"),
    )
    derived: ClassVar[tuple[str, ...]] = ("total_tokens",)

    content: str
    model: Label
    operation: Label = semconv.OPERATION_CHAT

    tool_calls: PlainDicts = Field(default_factory=list)
    """Calls that the model asks for, in the provider's own form."""

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            content: str,
            model: str,
            provider: str,
            input_tokens: int | None = None,
            output_tokens: int | None = None,
            cached_tokens: int | None = None,
            tool_calls: Sequence[dict[str, Any]] = (),
            **call: Unpack[CallFields],
        ) -> None: ...

    @property
    def input_tokens(self) -> int:
        """Tokens of the input, cached ones included; 0 where they were not counted."""
        return self.usage.input_tokens or 0

    @property
    def output_tokens(self) -> int:
        """Tokens of the output, reasoning included; 0 where they were not counted."""
        return self.usage.output_tokens or 0

    @property
    def cached_tokens(self) -> int:
        """Tokens of the input that came from the provider's cache; 0 where not counted."""
        return self.usage.cached_tokens or 0

    @property
    def total_tokens(self) -> int:
        """Tokens of input and output."""
        return self.input_tokens + self.output_tokens

    def contents(self) -> dict[str, AttributeValue]:
        return output_message(self.content, self.finish_reason)

    def _attributes(self) -> dict[str, AttributeValue | None]:
        return {
            **super()._attributes(),
            semconv.STAGEFLOW_PROVIDER_TOOL_CALL_COUNT: len(self.tool_calls) or None,
        }
