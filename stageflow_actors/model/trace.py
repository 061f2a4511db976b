"""``TraceContext``: where a run, or an attempt of a stage, is in a trace of W3C Trace Context.

Source: https://www.w3.org/TR/trace-context/ (level 2) and https://www.w3.org/TR/baggage/.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import blake2b
from typing import NamedTuple

_TRACEPARENT = "([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
_SAMPLED = 1
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16
_MOST_CHARACTERS = 8192
"""Of a header that is passed on: what is longer is left out, as the recommendations allow."""


class TraceContext(NamedTuple):
    """One span of a trace, by its ids in hexadecimal.

    ``parent_id`` is the span that it is below, where that is known. ``state`` and ``baggage`` are
    the headers ``tracestate`` and ``baggage``, passed on as they are. Where it is not
    ``is_recorded``, no spans are made below it, and it is passed on as it came.
    """

    trace_id: str
    span_id: str
    is_sampled: bool = True
    parent_id: str | None = None
    state: str = ""
    baggage: str = ""
    is_recorded: bool = True

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> TraceContext | None:
        """The span that the sender of ``headers`` was in; ``None`` where they name none.

        Names of headers may be in any case; of two that differ in nothing else, the one in lower
        case counts, or else the first. What does not follow the recommendation is ignored, as it
        asks for.
        """
        found = re.fullmatch(_TRACEPARENT, _header(headers, "traceparent").strip())
        if found is None:
            return None
        version, trace_id, span_id, flags, more = found.groups()
        if version == "ff" or (version == "00" and more) or trace_id == _NO_TRACE:
            return None
        if span_id == _NO_SPAN:
            return None
        state, baggage = (_passed_on(_header(headers, name)) for name in ("tracestate", "baggage"))
        is_sampled = bool(int(flags, 16) & _SAMPLED)
        return cls(trace_id, span_id, is_sampled, None, state, baggage)

    def to_headers(self) -> dict[str, str]:
        """For a request to another service, so that its spans are below this one."""
        headers = {"traceparent": self.traceparent}
        if self.state:
            headers["tracestate"] = self.state
        if self.baggage:
            headers["baggage"] = self.baggage
        return headers

    @property
    def traceparent(self) -> str:
        """The header of that name."""
        return f"00-{self.trace_id}-{self.span_id}-{int(self.is_sampled):02x}"

    @classmethod
    def active(cls) -> TraceContext | None:
        """The one that the caller is in, if it is in one that was made active."""
        return _ACTIVE.get()

    @contextmanager
    def activate(self) -> Iterator[TraceContext]:
        """Have runs that are started inside be below this span; tasks that are, too."""
        token = _ACTIVE.set(self)
        try:
            yield self
        finally:
            _ACTIVE.reset(token)

    def child(self, span_id: str | None = None) -> TraceContext:
        """A span below this one: of that id, or a new one."""
        if not self.is_recorded:
            return self
        below = span_id or new_span_id()
        return TraceContext(
            self.trace_id, below, self.is_sampled, self.span_id, self.state, self.baggage
        )

    def attempt(self, stage: str, number: int) -> TraceContext:
        """The span of an attempt of ``stage``, where this is the one of its run."""
        return self.child(attempt_span_id(self.span_id, stage, number))


_ACTIVE: ContextVar[TraceContext | None] = ContextVar("stageflow_trace", default=None)


def attempt_span_id(run_span_id: str, stage: str, number: int) -> str:
    """Known to whoever knows the run, so that nobody has to be told when a process dies."""
    name = f"{run_span_id}/{stage}/{number}".encode("utf-8", "surrogatepass")
    return blake2b(name, digest_size=8).hexdigest()


def new_trace() -> TraceContext:
    """The first span of a trace."""
    return TraceContext(secrets.token_hex(16), new_span_id())


def new_span_id() -> str:
    """One that no other span has."""
    return secrets.token_hex(8)


def _header(headers: Mapping[str, str], name: str) -> str:
    """Its value, however its name is written; nothing where there is none."""
    exact = headers.get(name)
    if exact is not None:
        return exact
    return next((value for each, value in headers.items() if each.lower() == name), "")


def _passed_on(header: str) -> str:
    is_fit = len(header) <= _MOST_CHARACTERS and header.isascii() and header.isprintable()
    return header.strip() if is_fit else ""
