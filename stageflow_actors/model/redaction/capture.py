"""``MessageCapture``: whether what people and models say may be told of, and where."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
"""The variable of the environment that OpenTelemetry has for it."""


class MessageCapture(StrEnum):
    """Where contents of messages may stand."""

    NO_CONTENT = "NO_CONTENT"
    SPAN_ONLY = "SPAN_ONLY"
    EVENT_ONLY = "EVENT_ONLY"
    SPAN_AND_EVENT = "SPAN_AND_EVENT"

    @classmethod
    def asked_for(cls, environ: Mapping[str, str]) -> MessageCapture:
        """What the environment asks for; nowhere, where it asks for nothing that is known."""
        try:
            return cls(environ.get(VARIABLE, "").strip().upper())
        except ValueError:
            return cls.NO_CONTENT

    @property
    def in_events(self) -> bool:
        """In events, in the texts of errors, and in the log."""
        return self in (MessageCapture.EVENT_ONLY, MessageCapture.SPAN_AND_EVENT)

    @property
    def in_spans(self) -> bool:
        """In spans."""
        return self in (MessageCapture.SPAN_ONLY, MessageCapture.SPAN_AND_EVENT)
