"""What is known of a call to an actor that Ray answered with an error of its own."""

from __future__ import annotations

import re
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple

from ray.exceptions import RayTaskError

from stageflow_actors.errors import describe_exception

_RAY_ERRORS = "ray.exceptions"
_ESCAPES = r"\x1b\[[0-?]*[ -/]*[@-~]"
_TRACEBACK = "Traceback (most recent call last)"
_MAX_TEXT = 500


class FaultKind(Enum):
    """What may be concluded, each from the facts alone: nothing is assumed of the work."""

    DIED = "died"
    """The process is gone. Whether the call had finished is unknown."""
    OUT_OF_MEMORY = "out_of_memory"
    """The process was ended because its machine ran out of memory; otherwise like ``DIED``."""
    UNANSWERED = "unanswered"
    """The request or its reply was lost. The process may live, and may have done the work."""
    NEVER_RAN = "never_ran"
    """The call was refused before it began, and may be sent again whatever it does."""
    BROKEN = "broken"
    """Ray, or our code around the stage, raised. To ask again would not help, and whether the
    stage has worked is unknown."""


class CallFault(NamedTuple):
    """``text`` is one line of at most 500 characters, which a terminal can print."""

    kind: FaultKind
    error_type: str
    text: str


KIND_BY_NAME = MappingProxyType(
    {
        # Nothing runs there any more. The children of an owner die with it, as does an actor with
        # its placement group; a dead raylet takes the workers of its node along.
        "ActorDiedError": FaultKind.DIED,
        "WorkerCrashedError": FaultKind.DIED,
        "NodeDiedError": FaultKind.DIED,
        "LocalRayletDiedError": FaultKind.DIED,
        "OwnerDiedError": FaultKind.DIED,
        "AsyncioActorExit": FaultKind.DIED,
        "ActorPlacementGroupRemoved": FaultKind.DIED,
        "TaskPlacementGroupRemoved": FaultKind.DIED,
        # A death, too, that will come again on this machine; it is no RayActorError.
        "OutOfMemoryError": FaultKind.OUT_OF_MEMORY,
        # The connection failed, and either the request or the reply was lost with it. The parent
        # class says no more than that the actor is dead or out of reach.
        "RayActorError": FaultKind.UNANSWERED,
        "ActorUnavailableError": FaultKind.UNANSWERED,
        "RpcError": FaultKind.UNANSWERED,
        # We stopped waiting: nothing is said of the work.
        "GetTimeoutError": FaultKind.UNANSWERED,
        # A result was made, and lost, or could not be brought here.
        "ObjectLostError": FaultKind.UNANSWERED,
        "ObjectFetchTimedOutError": FaultKind.UNANSWERED,
        "ObjectFreedError": FaultKind.UNANSWERED,
        "ObjectReconstructionFailedError": FaultKind.UNANSWERED,
        "OutOfDiskError": FaultKind.UNANSWERED,
        "PlasmaObjectNotAvailable": FaultKind.UNANSWERED,
        "ReferenceCountingAssertionError": FaultKind.UNANSWERED,
        # Raised while the call is sent, or while there is no process yet that could take it.
        "ActorUnschedulableError": FaultKind.NEVER_RAN,
        "ObjectStoreFullError": FaultKind.NEVER_RAN,
        "PendingCallsLimitExceeded": FaultKind.NEVER_RAN,
        "RuntimeEnvSetupError": FaultKind.NEVER_RAN,
        "TaskUnschedulableError": FaultKind.NEVER_RAN,
        # Raised in the actor, around the stage: what a stage raises comes back as a receipt.
        "CrossLanguageError": FaultKind.BROKEN,
        "RayTaskError": FaultKind.BROKEN,
        "UnserializableException": FaultKind.BROKEN,
        "UserCodeException": FaultKind.BROKEN,
        # Nobody cancels our calls: somebody interrupted the process from within.
        "TaskCancelledError": FaultKind.BROKEN,
        # A call that is refused, and would be again: the session, the name or the token is wrong.
        "ActorAlreadyExistsError": FaultKind.BROKEN,
        "ActorHandleNotFoundError": FaultKind.BROKEN,
        "AuthenticationError": FaultKind.BROKEN,
        # Parts of Ray that we do not use.
        "ObjectRefStreamEndOfStreamError": FaultKind.BROKEN,
        "OufOfBandObjectRefSerializationException": FaultKind.BROKEN,
        "RayCgraphCapacityExceeded": FaultKind.BROKEN,
        "RayChannelError": FaultKind.BROKEN,
        "RayChannelTimeoutError": FaultKind.BROKEN,
        "RayDirectTransportError": FaultKind.BROKEN,
        "StreamingGeneratorReplayInconsistentError": FaultKind.BROKEN,
        # They say nothing, as will an error that Ray has not invented yet: assume no right to ask.
        "RayError": FaultKind.BROKEN,
        "RaySystemError": FaultKind.BROKEN,
    }
)
"""Every class of ``ray.exceptions``. By name: Ray removes some of them, and adds others."""


def fault_of(error: BaseException) -> CallFault:
    """What ``error``, raised by a call to an actor, says of that call.

    A ``RayTaskError`` is an answer: the process lived, got the call, and raised. A Ray error as its
    cause happened to another call or to an argument, so it says nothing of this process.

    Raises:
        BaseException: ``error`` itself if it is no ``Exception``: a cancellation is no fault.
    """
    if not isinstance(error, Exception):
        raise error
    root = _root_of(error)
    name = type(root).__name__
    return CallFault(
        kind=_kind_of(type(error)),
        error_type=_printable(name if root is error else f"RayTaskError({name})"),
        text=_first_line(root),
    )


def _kind_of(error_class: type) -> FaultKind:
    """The kind of the first class in the table.

    That of a ``RayTaskError`` comes before its cause's, which Ray makes its second parent.
    """
    for cls in error_class.__mro__:
        if cls.__module__ == _RAY_ERRORS and cls.__name__ in KIND_BY_NAME:
            return KIND_BY_NAME[cls.__name__]
    return FaultKind.BROKEN


def _root_of(error: BaseException) -> BaseException:
    """What was raised remotely, below any number of ``RayTaskError``s."""
    while isinstance(error, RayTaskError) and isinstance(error.cause, BaseException):
        error = error.cause
    return error


def _first_line(error: BaseException) -> str:
    """The line that tells: the first, unless the text is a traceback, which tells at its end."""
    lines = re.sub(_ESCAPES, "", describe_exception(error)).strip().split("\n")
    is_traceback = isinstance(error, RayTaskError) or _TRACEBACK in lines[0]
    return _printable(lines[-1 if is_traceback else 0])


def _printable(text: str) -> str:
    """``text`` without control characters, of a bounded length."""
    shown = "".join(char if char.isprintable() else " " for char in text[:_MAX_TEXT])
    return shown.strip()
