"""What clients may say over a WebSocket."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError

from stageflow_actors.security.strict_json import JsonRefusedError, read_json
from stageflow_actors.serving.bodies import told_errors
from stageflow_actors.serving.faults import Fault, ProblemError
from stageflow_actors.serving.settings import ServingSettings
from stageflow_actors.serving.socket_frames import FrameError, unpack

_REF = r"^[A-Za-z0-9._~-]{1,64}$"
Ref = Annotated[str, Field(strict=True, pattern=_REF)]
"""The client's own name for a run, as long as that is on its socket."""
Bytes = Annotated[int, Field(strict=True, ge=0, le=2**40)]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Start(_Message):
    """Start a run; its entries may have ``credit`` bytes. If ``is_open``, input follows."""

    type: Literal["start"]
    ref: Ref
    pipeline: Annotated[str, Field(strict=True, max_length=200)]
    body: dict[str, Any] = Field(default_factory=dict)
    timeout_s: Annotated[float, Field(strict=True, gt=0)] | None = None
    key: Annotated[str, Field(strict=True, pattern=r"^[!#-~]{1,255}$")] | None = None
    credit: Bytes
    is_open: Annotated[bool, Field(strict=True)] = False


class Input(_Message):
    """More of the ``data`` of an open run."""

    type: Literal["input"]
    ref: Ref
    data: dict[str, Any]


class InputBytes(_Message):
    """The header of bytes that belong to what ``data`` of an open run has under ``key``."""

    type: Literal["input"]
    ref: Ref
    key: Annotated[str, Field(strict=True, min_length=1, max_length=200)]


class End(_Message):
    """That was all of the input: start the run."""

    type: Literal["end"]
    ref: Ref


class Credit(_Message):
    """The entries of a run may have so many bytes more."""

    type: Literal["credit"]
    ref: Ref
    bytes: Annotated[int, Field(strict=True, gt=0, le=2**40)]


class Cancel(_Message):
    """Ask a run to stop."""

    type: Literal["cancel"]
    ref: Ref


class Watch(_Message):
    """Show a run that there is, from the entry after number ``after``."""

    type: Literal["watch"]
    ref: Ref
    run_id: Annotated[str, Field(strict=True, max_length=100)]
    after: Annotated[int, Field(strict=True, ge=0, lt=10**10)] = 0
    credit: Bytes


class Leave(_Message):
    """Show no more of a run, which goes on."""

    type: Literal["leave"]
    ref: Ref


class Ping(_Message):
    """Asks for a pong."""

    type: Literal["ping"]


class Pong(_Message):
    """Answers a ping."""

    type: Literal["pong"]


Message = Start | Input | InputBytes | End | Credit | Cancel | Watch | Leave | Ping | Pong


class _AsText(
    RootModel[
        Annotated[
            Start | Input | End | Credit | Cancel | Watch | Leave | Ping | Pong,
            Field(discriminator="type"),
        ]
    ]
):
    """Every message that is a text message."""


class MessageRefusedError(Exception):
    """A message cannot be used. ``ref`` is the run that it was about, where it says so."""

    def __init__(self, problem: ProblemError, ref: str | None = None) -> None:
        super().__init__(problem, ref)
        self.problem = problem
        self.ref = ref


def read_text(message: bytes, settings: ServingSettings) -> Message:
    """What a text message says.

    Raises:
        MessageRefusedError: it is no strict JSON, or no message that there is.
    """
    read = _read(message, settings)
    try:
        return _AsText.model_validate(read).root
    except ValidationError as error:
        raise _refused(error, read) from None


def read_binary(message: bytes, settings: ServingSettings) -> tuple[InputBytes, bytes]:
    """What a binary message says, and the bytes in it.

    Raises:
        MessageRefusedError: it is no binary message that there is.
    """
    try:
        frame = unpack(message)
    except FrameError as error:
        raise MessageRefusedError(ProblemError(Fault.MESSAGE, str(error))) from None
    read = _read(frame.header, settings)
    try:
        return InputBytes.model_validate(read), frame.payload
    except ValidationError as error:
        raise _refused(error, read) from None


def _read(text: bytes, settings: ServingSettings) -> Any:
    """The body of a run may be as deep as elsewhere; it stands one level deeper here."""
    try:
        return read_json(
            text, max_depth=settings.max_json_depth + 1, max_values=settings.max_json_values
        )
    except JsonRefusedError as refused:
        raise MessageRefusedError(ProblemError(Fault.JSON, str(refused))) from None


def _refused(error: ValidationError, read: Any) -> MessageRefusedError:
    ref = read.get("ref") if isinstance(read, dict) else None
    is_ref = isinstance(ref, str) and re.fullmatch(_REF, ref)
    problem = ProblemError(Fault.MESSAGE, errors=told_errors(error))
    return MessageRefusedError(problem, ref if is_ref else None)
