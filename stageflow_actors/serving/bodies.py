"""The body of a request: read within bounds, as strict JSON, into the parts of a run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import ClientDisconnect, Request

from stageflow_actors.model.conversation import Conversation
from stageflow_actors.model.priority import RunPriority
from stageflow_actors.serving.faults import Fault, ProblemError
from stageflow_actors.serving.headers import check_length, check_media_type
from stageflow_actors.serving.settings import ServingSettings
from stageflow_actors.serving.strict_json import JsonRefusedError, read_json

_MAX_ERRORS = 20
_RESERVED = "auth_token"


class RunBody(BaseModel):
    """What a client may say of a run. Whose it is, only its token says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input_text: Annotated[str, Field(strict=True)] | None = None
    """What the pipeline is asked."""
    input_audio_duration_ms: Annotated[int, Field(strict=True, ge=0)] | None = None
    """Length of the audio that the text was heard in, in milliseconds."""
    data: dict[str, Any] = Field(default_factory=dict)
    """What the stages may read beside it; keys that begin with ``_`` are not a client's."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    """Anything about the request."""
    conversation: Conversation | None = None
    """What was said before."""
    session_id: UUID | None = None
    """Id of the session."""
    interaction_id: UUID | None = None
    """Id of the interaction within the session."""
    correlation_id: UUID | None = None
    """An id of the client's own, to find the run by in logs."""
    priority: RunPriority = RunPriority.INTERACTIVE
    """Whether it goes first where runs wait."""

    def parts(self) -> dict[str, Any]:
        """The parts of a context."""
        return {name: getattr(self, name) for name in type(self).model_fields}


async def read_body(request: Request, settings: ServingSettings) -> bytes:
    """The body of the request, which says that it is JSON.

    Raises:
        ProblemError: it is too long, too slow, or says that it is something else.
    """
    headers = request.headers
    check_media_type(headers.getlist("content-type"), headers.getlist("content-encoding"))
    check_length(headers.getlist("content-length"), settings.max_body_bytes)
    try:
        async with asyncio.timeout(settings.body_timeout_s):
            return await _read(request, settings.max_body_bytes)
    except TimeoutError:
        raise ProblemError(Fault.BODY_TIMEOUT, headers={"Connection": "close"}) from None


def run_body_of(body: bytes, settings: ServingSettings) -> RunBody:
    """What ``body`` says of a run.

    Raises:
        ProblemError: it is no strict JSON, or not of this form.
    """
    max_depth, max_values = settings.max_json_depth, settings.max_json_values
    try:
        read = read_json(body, max_depth=max_depth, max_values=max_values)
    except JsonRefusedError as refused:
        raise ProblemError(Fault.JSON, str(refused)) from None
    return run_body_from(read)


def run_body_from(read: object) -> RunBody:
    """The same of what was read already.

    Raises:
        ProblemError: it is not of this form.
    """
    if not isinstance(read, dict):
        raise ProblemError(Fault.INPUT, "The body has to be an object.")
    try:
        given = RunBody.model_validate(read)
    except ValidationError as error:
        raise ProblemError(
            Fault.INPUT, "The body has another form.", errors=told_errors(error)
        ) from None
    check_data_keys(given.data)
    return given


def check_data_keys(data: Iterable[str]) -> None:
    """Pass, if a client may give ``data`` these keys.

    Raises:
        ProblemError: one of them is not a client's.
    """
    for key in data:
        if key.startswith("_") or key == _RESERVED:
            raise ProblemError(Fault.INPUT, f"data has keys that begin with _, or {_RESERVED}.")


async def _read(request: Request, limit: int) -> bytes:
    """Nothing beyond ``limit`` is held, whatever the headers say."""
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > limit:
                detail = f"A body may have {limit} bytes."
                raise ProblemError(Fault.BODY_SIZE, detail, headers={"Connection": "close"})
            parts.append(part)
    except ClientDisconnect:
        raise ProblemError(Fault.JSON, "The body ends early.") from None
    return b"".join(parts)


def told_errors(error: ValidationError) -> list[dict[str, str]]:
    """Where and why; never what was given, which may be long or secret."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [
        {"path": ".".join(map(str, each["loc"])), "message": each["msg"]}
        for each in found[:_MAX_ERRORS]
    ]
