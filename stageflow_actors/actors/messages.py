"""What travels between handle, supervisor and stages: importable, small, plain but for payloads.

User data stands in here as ``Payload`` bytes (or, inside one process, as a sealed object): a
supervisor passes it on and never looks inside. Between processes a message is one ``bytes``: Ray
hands bytes on as they are, while it pickles objects with a slow, general pickler.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from stageflow_actors.actors.codec import Payload
from stageflow_actors.actors.failures import Failure
from stageflow_actors.actors.sealing import PlainEvent, SealedOutput
from stageflow_actors.engine.facts import NO_HINT, Ending, FailureHint, Signal
from stageflow_actors.model.cleanup import CleanupFailure
from stageflow_actors.model.inputs import MissingInput

if TYPE_CHECKING:
    from stageflow_actors.model.events import Event
    from stageflow_actors.model.results import RunStatus

_INTERRUPTED = Ending.INTERRUPTED.value


class StageKey(NamedTuple):
    """What one stage of a run is idempotent for: the key as given and in its scope, and a digest of
    what came with it.
    """

    given: str
    scoped: str
    params: str
    ttl_s: float


class RunRequest(NamedTuple):
    """Handle to supervisor: start a run. ``cancelled`` is set where it was cancelled before.

    ``is_watched``: its events are wanted as they come; else they come from time to time.
    """

    run: str
    view: Payload
    started_ms: int
    cancelled: str | None
    limit_s: float | None
    keys: Mapping[int, StageKey]
    has_hooks: bool
    is_background: bool = False
    is_watched: bool = False
    tenant: str = ""


class Watch(NamedTuple):
    """Handle to supervisor: tell the events of this run as they come, from now on."""

    run: str


class Reading(NamedTuple):
    """Handle to supervisor: the pieces of this run up to ``seq`` were read; 0: send them.

    ``is_over``: no more are wanted.
    """

    run: str
    seq: int = 0
    is_over: bool = False


class Credit(NamedTuple):
    """Supervisor to stage: so many bytes that an execution has streamed out were read."""

    execution: tuple[str, int, int]
    size: int


class Rejection(NamedTuple):
    """Why a stage runs again: which guard rejected its output, for the how manieth time."""

    guard: str
    attempt: int
    reason: str
    output: SealedOutput | None


class Assignment(NamedTuple):
    """One execution of a stage: what it reads, and how long the run may still take.

    ``generation`` counts the repetitions for a guard. With ``keeps_answer`` the output is to be
    kept for those who come with the same key. ``is_alone``: it killed its process often enough to
    be tried in one of its own. ``is_leased``: its process may go on with what follows;
    ``is_begun``: a process has done so with this one.
    """

    attempt: int
    inputs: Mapping[str, SealedOutput]
    remaining_s: float | None = None
    missing: Mapping[str, MissingInput] | None = None
    generation: int = 0
    rejection: Rejection | None = None
    keeps_answer: bool = False
    is_alone: bool = False
    is_leased: bool = False
    is_begun: bool = False


Execution = tuple[str, int, int]
"""A run, a stage of it by its index, and the attempt: one execution in a deployment."""


class Envelope(NamedTuple):
    """Supervisor to stage: execute once."""

    run: str
    stage: int
    view: Payload
    started_ms: int
    assignment: Assignment


class Receipt(NamedTuple):
    """Stage to supervisor: how one execution ended. Times are seconds since the Unix epoch.

    ``ending`` is the value of an ``Ending``: a string pickles several times faster than the member.
    ``is_stuck`` says that the body still runs, in a thread that does not heed its stop. ``answer``
    is the output as it is kept for those who come with the same key, ``notes`` what the runtime
    itself has to say about it. ``retires``: the stage wants its process to end. ``ahead`` are the
    stages that its process has begun after it, ahead of the run.
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
    hint: FailureHint | None = None
    is_stuck: bool = False
    answer: str | None = None
    notes: tuple[PlainEvent, ...] = ()
    retires: bool = False
    ahead: tuple[int, ...] = ()

    @classmethod
    def failed(
        cls,
        failure: Failure,
        started_at: float,
        ended_at: float,
        events: tuple[PlainEvent, ...] = (),
        *,
        ending: Ending = Ending.FAIL,
        hint: FailureHint = NO_HINT,
    ) -> Receipt:
        """The receipt of an execution that failed without an output."""
        return cls(
            ending.value,
            started_at,
            ended_at,
            reason=failure.message,
            failure=failure,
            events=events,
            hint=hint,
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

    ``timed_out`` says that it came too late; its text is then what is said of it. ``gave_up`` is
    why the run went on without it: to be tried again, or to stop by itself. ``fell_back`` stands in
    for its output. ``poisoned`` says that its process died whenever it ran, and is what is said
    of that.
    """

    stage: str
    attempt: int
    receipt: Receipt
    timed_out: str | None = None
    gave_up: str | None = None
    fell_back: SealedOutput | None = None
    poisoned: str | None = None


class RunReport(NamedTuple):
    """Supervisor to handle: the verdict and everything that led to it, in order of completion.

    With ``retry_after_s`` the run was refused: there were too many.
    """

    status: RunStatus
    stage: str | None
    reason: str | None
    ends: tuple[StageEnd, ...]
    never_started: tuple[str, ...]
    events: tuple[Event, ...]
    events_dropped: int
    started_at: float
    ended_at: float
    tolerated: tuple[str, ...] = ()
    abandoned: tuple[str, ...] = ()
    retry_after_s: float | None = None


def pack(message: tuple[Any, ...]) -> bytes:
    """A message as it travels between processes. Its user data must be payloads already."""
    return pickle.dumps(message, protocol=5)


def unpack(packed: bytes) -> Any:
    """The message that ``pack`` was given."""
    return pickle.loads(packed)
