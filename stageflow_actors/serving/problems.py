"""Faults as RFC 9457 documents, and what the errors of the library mean to a client."""

from __future__ import annotations

import json
import math
from typing import Any

from starlette.responses import Response
from starlette.types import Scope

from stageflow_actors.errors import (
    AdmissionRefusedError,
    AuthenticationError,
    IdempotencyParamMismatch,
    InvalidRunInputError,
    RuntimeFault,
    SnapshotError,
    StageContractError,
    StageflowError,
    TenantAccessDeniedError,
)
from stageflow_actors.serving.faults import SOON_S, Fault, ProblemError
from stageflow_actors.serving.request_trace import trace_id_of

MEDIA_TYPE = "application/problem+json"
_TYPE = "urn:stageflow-actors:problem:"


def problem_document(problem: ProblemError, scope: Scope | None = None) -> dict[str, Any]:
    """The members of the document; ``code`` is our own, and so are ``run_id``, where there is a
    run, and ``trace_id``, where the request is traced.

    ``scope`` is that of the request: it says where the routes of the application begin, too.
    """
    fault = problem.fault
    document: dict[str, Any] = {
        "type": f"{_TYPE}{fault.code.lower()}",
        "title": fault.title,
        "status": fault.status,
        "code": fault.code,
    }
    if problem.detail:
        document["detail"] = problem.detail
    if problem.run_id is not None:
        document["run_id"] = str(problem.run_id)
        prefix = "" if scope is None else scope.get("root_path", "")
        document["instance"] = f"{prefix}/v1/runs/{problem.run_id}"
    trace_id = trace_id_of(scope)
    if trace_id is not None:
        document["trace_id"] = trace_id
    return {**problem.parts, **document}


def problem_response(problem: ProblemError, scope: Scope | None = None) -> Response:
    """The answer for ``problem``; ``scope`` as in its document."""
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **problem.headers}
    if problem.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(problem.retry_after_s)))
    body = json.dumps(problem_document(problem, scope), ensure_ascii=True).encode("ascii")
    return Response(body, problem.fault.status, headers, MEDIA_TYPE)


def problem_of(error: StageflowError) -> ProblemError:
    """What it means to a client that a run could not be started. No text of ``error`` is shown."""
    if isinstance(error, StageContractError):
        told = [{"path": error.path, "message": f"expected {error.expected}"}]
        return ProblemError(Fault.INPUT, "The input breaks its schema.", errors=told)
    if isinstance(error, InvalidRunInputError | SnapshotError | IdempotencyParamMismatch):
        return ProblemError(Fault.INPUT)
    if isinstance(error, AuthenticationError):
        return ProblemError(Fault.TOKEN_REFUSED, headers={"WWW-Authenticate": "Bearer"})
    if isinstance(error, TenantAccessDeniedError):
        return ProblemError(Fault.TENANT)
    if isinstance(error, AdmissionRefusedError):
        return ProblemError(Fault.REFUSED, retry_after_s=error.retry_after_s)
    if isinstance(error, RuntimeFault):
        return ProblemError(Fault.UNAVAILABLE, retry_after_s=SOON_S)
    return ProblemError(Fault.DEFECT)
