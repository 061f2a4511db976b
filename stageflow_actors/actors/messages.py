"""What travels between handle, supervisor and stages: importable, small, plain but for payloads.

User data stands in here as ``Payload`` bytes (or, inside one process, as a sealed object): a
supervisor passes it on and never looks inside. Between processes a message is one ``bytes``: Ray
hands bytes on as they are, while it pickles objects with a slow, general pickler.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import Any, NamedTuple

from stageflow_actors.actors.codec import Payload
from stageflow_actors.actors.failures import Failure
from stageflow_actors.actors.sealing import PlainEvent, SealedOutput
from stageflow_actors.engine.facts import Ending, Signal
from stageflow_actors.model.cleanup import CleanupFailure
from stageflow_actors.model.events import Event
from stageflow_actors.model.results import RunStatus

_FAIL = Ending.FAIL.value
_INTERRUPTED = Ending.INTERRUPTED.value


class RunRequest(NamedTuple):
    """Handle to supervisor: start a run. ``cancelled`` is set where it was cancelled before."""

    run: str
    view: Payload
    started_ms: int
    cancelled: str | None


class Envelope(NamedTuple):
    """Supervisor to stage: execute once."""

    run: str
    attempt: int
    view: Payload
    started_ms: int
    inputs: Mapping[str, SealedOutput]


class Receipt(NamedTuple):
    """Stage to supervisor: how one execution ended. Times are seconds since the Unix epoch.

    ``ending`` is the value of an ``Ending``: a string pickles several times faster than the member.
    """

    ending: str
    started_at: float
    ended_at: float
    output: SealedOutput | None = None
    reason: str = ""
    failure: Failure | None = None
    events: tuple[PlainEvent, ...] = ()
    signal: Signal | None = None
    cleanup_failures: tuple[CleanupFailure, ...] = ()

    @classmethod
    def failed(
        cls,
        failure: Failure,
        started_at: float,
        ended_at: float,
        events: tuple[PlainEvent, ...] = (),
    ) -> Receipt:
        """The receipt of an execution that failed without an output."""
        return cls(
            _FAIL, started_at, ended_at, reason=failure.message, failure=failure, events=events
        )

    @classmethod
    def interrupted(
        cls,
        reason: str | None,
        started_at: float,
        ended_at: float,
        events: tuple[PlainEvent, ...] = (),
    ) -> Receipt:
        """The receipt of an execution that stopped, or never began, because it was told to stop."""
        return cls(_INTERRUPTED, started_at, ended_at, reason=reason or "", events=events)


class StageEnd(NamedTuple):
    """A receipt with the name of its stage, as a report lists it.

    ``timed_out`` says that it came too late; its text is then what is said of it.
    """

    stage: str
    attempt: int
    receipt: Receipt
    timed_out: str | None = None


class RunReport(NamedTuple):
    """Supervisor to handle: the verdict and everything that led to it, in order of completion."""

    status: RunStatus
    stage: str | None
    reason: str | None
    ends: tuple[StageEnd, ...]
    never_started: tuple[str, ...]
    events: tuple[Event, ...]
    events_dropped: int
    started_at: float
    ended_at: float


def pack(message: RunRequest | Envelope | Receipt | RunReport) -> bytes:
    """``message`` as it travels between processes. Its user data must be payloads already."""
    return pickle.dumps(message, protocol=5)


def unpack(packed: bytes) -> Any:
    """The message that ``pack`` was given."""
    return pickle.loads(packed)
