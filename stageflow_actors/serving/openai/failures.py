"""Refusals and runs that failed, in the form that clients of OpenAI read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

from starlette.responses import Response

from stageflow_actors.serving.faults import Fault, ProblemError
from stageflow_actors.serving.problems import problem_response

REQUEST_ID = "X-Request-Id"
"""The header with the id of the run, where clients look for the id of the request."""

_TYPES = MappingProxyType(
    {
        401: "authentication_error",
        403: "permission_error",
        404: "not_found_error",
        429: "rate_limit_error",
        504: "timeout_error",
    }
)
_OF_BODIES = frozenset({"content-length", "content-type"})


class Failure(NamedTuple):
    """Why there is no answer: what a client is told."""

    status: int
    code: str
    message: str
    param: str | None = None
    headers: Mapping[str, str] = MappingProxyType({})

    def document(self) -> dict[str, Any]:
        """The members that the clients look for."""
        fallback = "server_error" if self.status >= 500 else "invalid_request_error"
        return {
            "error": {
                "message": self.message,
                "type": _TYPES.get(self.status, fallback),
                "param": self.param,
                "code": self.code,
            }
        }

    def response(self) -> Response:
        """The answer."""
        body = json.dumps(self.document(), ensure_ascii=True)
        return Response(body, self.status, self.headers, "application/json")


class NoAnswerError(ProblemError):
    """The run of a request has come to no answer.

    Nobody should ask the same again by itself: the run may have had effects.
    """

    def __init__(self, status: int, code: str, message: str, run_id: UUID) -> None:
        headers = {"X-Should-Retry": "false"}
        super().__init__(Fault.DEFECT, message, run_id=run_id, headers=headers)
        self.status = status
        self.code = code


def failure_of(problem: ProblemError) -> Failure:
    """A refusal, with the headers that it has everywhere."""
    fault, parts = problem.fault, problem.parts
    message = problem.detail or fault.title
    param = parts.get("param")
    errors = parts.get("errors", ())
    if errors:
        param = param or errors[0]["path"]
        told = "; ".join(f"{each['path']}: {each['message']}" for each in errors)
        message = f"{message} {told}"
    kept = problem_response(problem).headers.items()
    headers = {name: value for name, value in kept if name not in _OF_BODIES}
    if problem.run_id is not None:
        message = f"{message} Run {problem.run_id}."
        headers[REQUEST_ID] = str(problem.run_id)
    if isinstance(problem, NoAnswerError):
        return Failure(problem.status, problem.code, message, param, headers)
    return Failure(fault.status, fault.code, message, param, headers)
