"""A client in a trace, and what came to be below it."""

from __future__ import annotations

import secrets

from opentelemetry.trace import SpanKind

from tests.serving.live import until

CLIENT_SPAN = 0xB7AD6B7169203331
RUNS = "/v1/pipelines/{name}/runs"


class Outer:
    """A client in a span of its own; what came to be below that."""

    def __init__(self, seen, flags="01"):
        self.seen = seen
        self.trace_id = secrets.token_hex(16)
        self.headers = {"traceparent": f"00-{self.trace_id}-{CLIENT_SPAN:016x}-{flags}"}

    @property
    def spans(self):
        return [each for each in self.seen.all if f"{each.context.trace_id:032x}" == self.trace_id]

    def requests(self):
        return [each for each in self.spans if each.kind is SpanKind.SERVER]

    def request(self):
        """The one request, once it has ended: the client may have all of the answer before."""
        (span,) = until(self.requests, "the span of the request")
        return span

    def run(self):
        """The one run, once its span is there."""
        (span,) = until(
            lambda: [each for each in self.spans if each.name.startswith("invoke_workflow")]
        )
        return span
