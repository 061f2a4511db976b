"""``ProviderResponse``: what is known about any call of any provider, whatever it answered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypedDict

from pydantic import ModelWrapValidatorHandler, model_validator
from pydantic_core import PydanticCustomError

from stageflow_actors.providers import semconv
from stageflow_actors.providers.measures import USAGE_ATTRIBUTES, Cost, RateLimit, Usage
from stageflow_actors.providers.record import Amount, FrozenRecord, Label

AttributeValue = str | bool | int | float | list[str]
"""What an OpenTelemetry attribute may hold, as far as it is used here."""


class ProviderResponse(FrozenRecord):
    """The record of one call. Kinds of providers have records with a typed body on top of it.

    ``raw_response`` is what the client library returned. It stays on the object in the process that
    made it: it is not part of its equality, text, copies, pickles or serialised forms.
    """

    __slots__ = ("_raw_response",)

    flat_counts: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Counts that the constructor also takes by themselves, and their fields in ``usage``."""

    provider: Label
    operation: Label

    model: Label | None = None
    """The model that was asked for."""

    response_model: Label | None = None
    """The model that answered, where the provider says so more exactly."""

    latency_ms: Amount | None = None
    """From the request to the end of the response."""

    time_to_first_output_ms: Amount | None = None
    """From the request to the first piece of a streamed response."""

    usage: Usage = Usage()
    cost: Cost | None = None
    finish_reason: Label | None = None
    rate_limit: RateLimit | None = None

    request_id: Label | None = None
    """The provider's id of the request; what its support asks for."""

    response_id: Label | None = None
    conversation_id: Label | None = None

    if TYPE_CHECKING:
        raw_response: Any = None
    else:

        @property
        def raw_response(self) -> Any:
            """What the client library returned, in the process that made this record."""
            return getattr(self, "_raw_response", None)

    @model_validator(mode="wrap")
    @classmethod
    def _set_raw_response_aside(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(data, dict) or "raw_response" not in data:
            return handler(data)
        fields = dict(data)
        raw = fields.pop("raw_response")
        record = handler(fields)
        object.__setattr__(record, "_raw_response", raw)
        return record

    @model_validator(mode="before")
    @classmethod
    def _move_flat_counts(cls, data: Any) -> Any:
        if not isinstance(data, dict) or data.keys().isdisjoint(dict(cls.flat_counts)):
            return data
        fields = dict(data)
        given = {field: fields.pop(name, None) for name, field in cls.flat_counts}
        if fields.get("usage") is None:
            fields["usage"] = given
        else:
            _compare(given, fields["usage"])
        return fields

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form, also of the flat counts; see ``FrozenRecord.to_dict``."""
        return super().to_dict() | {name: getattr(self, name) for name, _ in self.flat_counts}

    def to_otel_attributes(self) -> dict[str, AttributeValue]:
        """Attributes for a span. Never what was said, drawn, searched or found."""
        return {name: value for name, value in self._attributes().items() if value is not None}

    def contents(self) -> dict[str, AttributeValue]:
        """Attributes with what was said, for those who have asked for it."""
        return {}

    def _attributes(self) -> dict[str, AttributeValue | None]:
        """All attributes, those without a value too."""
        first_output = self.time_to_first_output_ms
        cost, rate_limit = self.cost, self.rate_limit or RateLimit()
        return {
            semconv.GEN_AI_OPERATION_NAME: self.operation,
            semconv.GEN_AI_PROVIDER_NAME: self.provider,
            semconv.GEN_AI_REQUEST_MODEL: self.model,
            semconv.GEN_AI_RESPONSE_MODEL: self.response_model,
            semconv.GEN_AI_RESPONSE_ID: self.response_id,
            semconv.GEN_AI_CONVERSATION_ID: self.conversation_id,
            semconv.GEN_AI_RESPONSE_FINISH_REASONS: self.finish_reason and [self.finish_reason],
            semconv.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK: (
                None if first_output is None else first_output / 1000
            ),
            **{name: getattr(self.usage, field) for field, name in USAGE_ATTRIBUTES},
            semconv.STAGEFLOW_PROVIDER_LATENCY_MS: self.latency_ms,
            semconv.STAGEFLOW_PROVIDER_REQUEST_ID: self.request_id,
            semconv.STAGEFLOW_PROVIDER_COST_AMOUNT: cost and float(cost.amount),
            semconv.STAGEFLOW_PROVIDER_COST_CURRENCY: cost and cost.currency,
            semconv.STAGEFLOW_PROVIDER_RATE_LIMIT_LIMIT: rate_limit.limit,
            semconv.STAGEFLOW_PROVIDER_RATE_LIMIT_REMAINING: rate_limit.remaining,
            semconv.STAGEFLOW_PROVIDER_RATE_LIMIT_RESET_MS: rate_limit.reset_ms,
        }


def output_message(text: str, finish_reason: str | None) -> dict[str, AttributeValue]:
    """An answer as the conventions write down messages: JSON."""
    message = {"role": "assistant", "parts": [{"type": "text", "content": text}]}
    if finish_reason is not None:
        message["finish_reason"] = finish_reason
    return {semconv.GEN_AI_OUTPUT_MESSAGES: json.dumps([message])}


def _compare(given: dict[str, Any], usage: Any) -> None:
    counted = usage.model_dump() if isinstance(usage, Usage) else usage
    if not isinstance(counted, dict):
        return  # wrong in itself, which its own validation says better
    for field, count in given.items():
        if count is not None and count != (counted.get(field) or 0):
            raise PydanticCustomError(
                "counted_twice",
                "The count contradicts usage.{field}; give it once",
                {"field": field},
            )


class CallFields(TypedDict, total=False):
    """The optional fields of ``ProviderResponse``, for constructors that are written out."""

    operation: str
    response_model: str | None
    latency_ms: float | None
    time_to_first_output_ms: float | None
    usage: Usage
    cost: Cost | None
    finish_reason: str | None
    rate_limit: RateLimit | None
    request_id: str | None
    response_id: str | None
    conversation_id: str | None
    raw_response: Any
