"""The body of a request: read within bounds, as strict JSON, into the parts of a run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from types import MappingProxyType
from typing import Annotated, Any, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import ClientDisconnect, Request

from stageflow_actors.model.conversation import Conversation
from stageflow_actors.model.priority import RunPriority
from stageflow_actors.security.strict_json import JsonRefusedError, read_json
from stageflow_actors.serving.faults import Fault, ProblemError
from stageflow_actors.serving.headers import BodyKind, check_length, check_media_type
from stageflow_actors.serving.settings import ServingSettings

Form = TypeVar("Form", bound=BaseModel)
_MAX_ERRORS = 20
_RESERVED = "auth_token"
_CLOSE = MappingProxyType({"Connection": "close"})


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
        ProblemError: as ``arriving``.
    """
    return b"".join([part async for part in arriving(request, settings, BodyKind.JSON)])


def arriving(
    request: Request, settings: ServingSettings, kind: BodyKind
) -> AsyncGenerator[bytes, None]:
    """The body as it comes: nothing beyond the bound is taken, whatever the headers say.

    Raises:
        ProblemError: its headers say that it is of another kind or too long; or, as it comes, it is
            too long, too slow, or ends early.
    """
    headers = request.headers
    check_media_type(headers.getlist("content-type"), headers.getlist("content-encoding"), kind)
    check_length(headers.getlist("content-length"), settings.max_body_bytes)
    return _parts(request, settings.max_body_bytes, settings.body_timeout_s)


def object_of(body: bytes, settings: ServingSettings) -> dict[str, Any]:
    """The object that ``body`` says.

    Raises:
        ProblemError: it is no strict JSON, or no object.
    """
    max_depth, max_values = settings.max_json_depth, settings.max_json_values
    try:
        read = read_json(body, max_depth=max_depth, max_values=max_values)
    except JsonRefusedError as refused:
        raise ProblemError(Fault.JSON, str(refused)) from None
    if not isinstance(read, dict):
        raise ProblemError(Fault.INPUT, "The body has to be an object.")
    return read


def in_form(form: type[Form], read: dict[str, Any]) -> Form:
    """``read`` as such a model.

    Raises:
        ProblemError: it has another form.
    """
    try:
        return form.model_validate(read)
    except ValidationError as error:
        told = told_errors(error)
        raise ProblemError(Fault.INPUT, "The body has another form.", errors=told) from None


def run_body_from(read: dict[str, Any]) -> RunBody:
    """What was read says of a run.

    Raises:
        ProblemError: it is not of this form.
    """
    given = in_form(RunBody, read)
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


async def _parts(request: Request, limit: int, timeout_s: float) -> AsyncGenerator[bytes, None]:
    stream = request.stream()
    due, size = asyncio.get_running_loop().time() + timeout_s, 0
    while True:
        try:
            async with asyncio.timeout_at(due):
                part = await anext(stream, None)
        except TimeoutError:
            raise ProblemError(Fault.BODY_TIMEOUT, headers=_CLOSE) from None
        except ClientDisconnect:
            raise ProblemError(Fault.INPUT, "The body ends early.") from None
        if part is None:
            return
        size += len(part)
        if size > limit:
            detail = f"A body may have {limit} bytes."
            raise ProblemError(Fault.BODY_SIZE, detail, headers=_CLOSE)
        yield part


def told_errors(error: ValidationError) -> list[dict[str, str]]:
    """Where and why; never what was given, which may be long or secret."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [
        {"path": ".".join(map(str, each["loc"])), "message": each["msg"]}
        for each in found[:_MAX_ERRORS]
    ]
