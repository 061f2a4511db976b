"""``Fault``: every way in which the door refuses a request, with its stable code."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any
from uuid import UUID

from stageflow_actors.errors import StageflowError

SOON_S = 1.0
"""When to try again where nobody knows better, in seconds from now."""


class ServingError(StageflowError, ValueError):
    """The door cannot be built like this."""

    default_code = "SERVE-DEFINITION"


class Fault(Enum):
    """HTTP status, stable code, and what it means for people."""

    JSON = (400, "SERVE-JSON", "The body is no JSON that is accepted here.")
    HEADER = (400, "SERVE-HEADER", "A header cannot be used.")
    QUERY = (400, "SERVE-QUERY", "A query parameter cannot be used.")
    MESSAGE = (400, "SERVE-MESSAGE", "The message cannot be used.")
    CREDIT = (400, "SERVE-CREDIT", "More was sent than there was credit for.")
    CURSOR = (400, "SERVE-CURSOR", "The position to resume from is none of this run.")
    CURSOR_GONE = (410, "SERVE-CURSOR-GONE", "What came after that position is not kept any more.")
    KEY_REUSED = (409, "SERVE-KEY-REUSED", "The idempotency key stands for another request.")
    NO_TOKEN = (401, "SERVE-TOKEN-MISSING", "A bearer token is needed.")
    TOKEN_REFUSED = (401, "SERVE-TOKEN-REFUSED", "The bearer token was refused.")
    SCOPE = (403, "SERVE-SCOPE", "The token does not allow this.")
    TENANT = (403, "SERVE-TENANT", "This belongs to others.")
    LOOPBACK = (403, "SERVE-LOOPBACK", "Only this machine may ask.")
    NOT_FOUND = (404, "SERVE-NOT-FOUND", "There is nothing here.")
    PIPELINE_UNKNOWN = (404, "SERVE-PIPELINE-UNKNOWN", "There is no such pipeline.")
    RUN_UNKNOWN = (404, "SERVE-RUN-UNKNOWN", "There is no such run.")
    RUN_EXPIRED = (404, "SERVE-RUN-EXPIRED", "The run has ended, and is not kept any more.")
    METHOD = (405, "SERVE-METHOD", "That cannot be done here.")
    BODY_TIMEOUT = (408, "SERVE-BODY-TIMEOUT", "The body did not arrive in time.")
    RUN_ENDED = (409, "SERVE-RUN-ENDED", "The run has ended already.")
    BODY_SIZE = (413, "SERVE-BODY-SIZE", "The body is too large.")
    MEDIA_TYPE = (415, "SERVE-MEDIA-TYPE", "The body has to be application/json.")
    INPUT = (422, "SERVE-INPUT", "The pipeline cannot use this input.")
    TOO_FAST = (429, "SERVE-TOO-FAST", "Too many runs were started within a second.")
    TOO_MANY_RUNS = (429, "SERVE-TOO-MANY-RUNS", "Too many runs of yours have not ended.")
    TOO_MANY_STREAMS = (429, "SERVE-TOO-MANY-STREAMS", "You read too many streams.")
    DEFECT = (500, "SERVE-DEFECT", "The service has failed.")
    REFUSED = (503, "RUN-REFUSED", "As much is waiting as may.")
    UNAVAILABLE = (503, "SERVE-UNAVAILABLE", "The pipeline cannot take runs now.")
    VERIFIER = (503, "SERVE-VERIFIER", "Tokens cannot be verified now.")
    NOT_READY = (503, "SERVE-NOT-READY", "The service takes no runs now.")

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.value[0]

    @property
    def code(self) -> str:
        """The stable code."""
        return self.value[1]

    @property
    def title(self) -> str:
        """One sentence, the same each time."""
        return self.value[2]


class ProblemError(Exception):
    """Raised to answer a request with a fault.

    ``detail`` is shown to whoever asked: it must hold nothing of the inside. ``parts`` go into the
    document beside it, ``headers`` into the answer.
    """

    def __init__(
        self,
        fault: Fault,
        detail: str = "",
        *,
        run_id: UUID | None = None,
        retry_after_s: float | None = None,
        headers: Mapping[str, str] | None = None,
        **parts: Any,
    ) -> None:
        super().__init__(fault, detail)
        self.fault = fault
        self.detail = detail
        self.run_id = run_id
        self.retry_after_s = retry_after_s
        self.headers = dict(headers or {})
        self.parts = parts


def too_fast(after_s: float | None) -> ProblemError | None:
    """The refusal of a run that may be started ``after_s``; ``None``: it may be now."""
    return None if after_s is None else ProblemError(Fault.TOO_FAST, retry_after_s=after_s)
