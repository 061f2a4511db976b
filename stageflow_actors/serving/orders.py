"""``Terms``: what the headers of a request say of the run that it asks for."""

from __future__ import annotations

from typing import NamedTuple

from starlette.requests import Request

from stageflow_actors.model.trace import TraceContext
from stageflow_actors.serving.bodies import RunBody
from stageflow_actors.serving.callers import Caller
from stageflow_actors.serving.desk import RunKey, RunOrder
from stageflow_actors.serving.guarded import caller_of, prefix_of, service_of
from stageflow_actors.serving.headers import (
    KEY_HEADER,
    TIMEOUT_HEADER,
    deadline_s,
    fingerprint_of,
    idempotency_key,
)
from stageflow_actors.serving.request_trace import trace_of


class Terms(NamedTuple):
    """Who asks, how long the run may take, the key of the request, where its links begin, and what
    span it is to be below.
    """

    caller: Caller
    timeout_s: float | None
    key: str | None
    prefix: str
    trace: TraceContext | None

    def order(
        self, body: RunBody, place: str, content: bytes, *, size: int, is_cancelled_when_left: bool
    ) -> RunOrder:
        """The order for ``body``; ``place`` and ``content`` have to be the same for one key."""
        key = None if self.key is None else RunKey(self.key, fingerprint_of(place, content))
        return RunOrder(
            self.caller,
            body,
            self.timeout_s,
            key,
            is_cancelled_when_left=is_cancelled_when_left,
            size=size,
            prefix=self.prefix,
            trace=self.trace,
        )


def terms_of(request: Request) -> Terms:
    """Those of the request; its body is not read.

    Raises:
        ProblemError: a header cannot be used.
    """
    settings, headers = service_of(request).settings, request.headers
    timeout_s = deadline_s(
        headers.getlist(TIMEOUT_HEADER), settings.default_timeout_s, settings.max_timeout_s
    )
    key = idempotency_key(headers.getlist(KEY_HEADER))
    trace = trace_of(request.scope).context
    return Terms(caller_of(request), timeout_s, key, prefix_of(request), trace)
