"""Exceptions as data: described where they were raised, whole again where they are read."""

from __future__ import annotations

import traceback
from typing import Any, NamedTuple

from stageflow_actors.actors.codec import Payload, decode, encode
from stageflow_actors.errors import (
    RemoteStageError,
    RemoteTraceback,
    StageflowError,
    describe_exception,
)


class Failure(NamedTuple):
    """Why a stage failed. Everything but ``exception`` is text, readable without user code."""

    code: str
    error_type: str
    message: str
    traceback: str
    exception: BaseException | Payload


def failure_of(error: BaseException, code: str = "STAGE-RAISED") -> Failure:
    """``error`` described; the exception itself stays the identical object."""
    return Failure(
        code=error.code if isinstance(error, StageflowError) else code,
        error_type=type(error).__qualname__,
        message=error.message if isinstance(error, StageflowError) else describe_exception(error),
        traceback=_traceback_text(error),
        exception=error,
    )


def failure_to_wire(failure: Failure) -> Failure:
    """``failure`` with its exception as bytes, for another process."""
    assert isinstance(failure.exception, BaseException)
    return failure._replace(exception=_encode_exception(failure.exception))


def open_exception(failure: Failure) -> BaseException:
    """The exception: the very object in its own process, elsewhere one of same type, args, text.

    From elsewhere it carries the remote traceback as its ``__cause__``.
    """
    if isinstance(failure.exception, BaseException):
        return failure.exception
    try:
        error: BaseException = _revive(*decode(failure.exception))
    except Exception:
        error = RemoteStageError(failure.error_type, failure.message)
    error.__cause__ = RemoteTraceback(failure.traceback)
    return error


def _traceback_text(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error))
    except Exception:
        return f"{type(error).__name__}: {describe_exception(error)}"


def _encode_exception(error: BaseException) -> Payload:
    """The exception in the first form that reads back as itself.

    Not every exception survives its own ``__reduce__``: the usual one calls ``__init__`` with
    ``args``, which fails where ``__init__`` takes something else. Its parts always do.
    """
    whole = (error, None, None)
    parts = (type(error), error.args, dict(getattr(error, "__dict__", {})))
    for form in (whole, parts):
        try:
            payload = encode(form)
            if _reads_back(_revive(*decode(payload)), error):
                return payload
        except Exception:  # noqa: S112 - user code: anything may happen, the next form is simpler
            continue
    stand_in = RemoteStageError(type(error).__qualname__, describe_exception(error))
    return encode((stand_in, None, None))


def _revive(head: Any, args: Any, state: Any) -> BaseException:
    if isinstance(head, BaseException):
        return head
    error: BaseException = head.__new__(head, *args)
    error.args = args
    error.__dict__.update(state)
    return error


def _reads_back(copy: BaseException, error: BaseException) -> bool:
    if type(copy) is not type(error) or len(copy.args) != len(error.args):
        return False
    if getattr(copy, "__dict__", {}).keys() != getattr(error, "__dict__", {}).keys():
        return False
    return describe_exception(copy) == describe_exception(error)
