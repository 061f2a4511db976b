"""Exceptions as data: described where they were raised, whole again where they are read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from stageflow_actors.actors.codec import Payload, decode, encode
from stageflow_actors.errors import (
    DeploymentError,
    RemoteStageError,
    RemoteTraceback,
    StageflowError,
    StageLostError,
    StageOutputError,
    describe_exception,
    plain_text,
)
from stageflow_actors.model.redaction.records import guard_logs, traceback_text

if TYPE_CHECKING:
    from stageflow_actors.model.redaction.redactor import Redactor
    from stageflow_actors.model.stage import StageSpec

guard_logs()

RAISED_CODE = "STAGE-RAISED"
UNREADABLE_CODE = "OUTPUT-UNREADABLE"


class Failure(NamedTuple):
    """Why a stage failed. Everything but ``exception`` is text, readable without user code."""

    code: str
    error_type: str
    message: str
    traceback: str
    exception: BaseException | Payload


def failure_of(error: BaseException, redactor: Redactor | None = None) -> Failure:
    """``error`` described; the exception itself stays the identical object.

    The texts are redacted; without a ``redactor``, of what this process knows to be secret.
    """
    if redactor is None:
        from stageflow_actors.model.redaction.sources import redactor_of_process

        redactor = redactor_of_process(os.environ)
    code, message = RAISED_CODE, describe_exception(error)
    if isinstance(error, StageflowError):
        code, message = plain_text(error.code), plain_text(error.message)
    return Failure(
        code=code,
        error_type=type(error).__qualname__,
        message=redactor.text(message),
        traceback=redactor.text(traceback_text(error)),
        exception=error,
    )


def unreadable(what: str, error: Exception) -> StageOutputError:
    """The error of data that cannot be read in this process."""
    return StageOutputError(
        f"{what} cannot be read in this process: "
        f"{type(error).__name__}: {describe_exception(error)}.",
        hint="Its classes must be importable here too, or return plain data.",
        code=UNREADABLE_CODE,
    )


def setup_failure(error: BaseException, spec: StageSpec) -> Failure:
    """``failure_of`` for what a stage raises outside of runs; it may quote its configuration."""
    from stageflow_actors.model.redaction.sources import redactor_of_stage

    return failure_of(error, redactor_of_stage(spec, os.environ))


def setup_error(pipeline: str, stage: str, failure: Failure) -> DeploymentError:
    """The error of a deployment whose ``stage`` could not be set up."""
    original = open_exception(failure)
    if isinstance(original, DeploymentError):
        return original
    error = DeploymentError(
        f"Stage '{stage}' of pipeline '{pipeline}' could not be set up: "
        f"{failure.error_type}: {failure.message}",
        stage=stage,
        hint="Its constructor or its setup() raised; the cause is attached.",
        code="DEPLOYMENT-SETUP",
    )
    error.__cause__ = original
    return error


def abandoned_error(stage: str, reason: str | None) -> StageLostError:
    """The error of an execution that was told to stop, did not, and cannot be ended here."""
    return StageLostError(
        f"Stage '{stage}' was told to stop ({reason or 'no reason given'}), did not, and was given "
        "up: its body may still be running.",
        hint="On Ray its process would be ended. Here, ask ctx.is_cancelled in its loop.",
    )


def late_error(stage: str, deploy_timeout_s: float) -> DeploymentError:
    """The error of a deployment whose ``stage`` took too long to be set up."""
    return DeploymentError(
        f"Stage '{stage}' was not ready within {deploy_timeout_s:g} s.",
        stage=stage,
        hint="Make its setup faster, or raise Settings.deploy_timeout_s.",
        code="DEPLOYMENT-TIMEOUT",
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
    """Same type, and parts of the same types. Not the same text: that may hold an address."""
    if type(copy) is not type(error) or [*map(type, copy.args)] != [*map(type, error.args)]:
        return False
    return getattr(copy, "__dict__", {}).keys() == getattr(error, "__dict__", {}).keys()
