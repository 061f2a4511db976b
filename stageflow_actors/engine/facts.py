"""Facts: what has happened. The only way anything reaches the engine.

``at`` is the time of the fact in seconds since the Unix epoch, taken by whoever saw it happen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple


class Ending(StrEnum):
    """How one execution of a stage ended."""

    OK = "ok"
    SKIP = "skip"
    CANCEL = "cancel"
    """The stage itself asked to stop the run."""
    FAIL = "fail"
    INTERRUPTED = "interrupted"
    """The stage stopped because it was told to."""
    RETRY = "retry"
    """It failed, and asks to be executed again."""
    CANCEL_BRANCH = "cancel_branch"
    """It asked to stop what depends on it, and nothing else."""
    TIMED_OUT = "timed_out"
    """Its own process found that it showed no sign of life for too long, and stopped it."""
    LOST = "lost"
    """Its process died, its reply was lost, or it was given up: how far it got is unknown."""


class TimerKind(StrEnum):
    """What a timer is for. Those of one tick count in this order."""

    TOTAL = "total"
    """A stage has used up its time, with all its attempts and the waits between them."""
    ATTEMPT = "attempt"
    """One execution of a stage has."""
    STOP = "stop"
    """A body that was told to stop shows no sign of it, for all the time it had for that."""
    CLEANUP = "cleanup"
    """One that is stopping has not come to its end."""
    RETRY = "retry"
    """The wait before the next attempt is over."""
    GUARD = "guard"
    """A guard has had its producer repeat its work for long enough."""
    RUN = "run"
    """The run has used up its time."""


class Timer(NamedTuple):
    """One timer. ``stage`` is -1 and ``attempt`` 0 for the run's own."""

    kind: TimerKind
    stage: int = -1
    attempt: int = 0


class Signal(NamedTuple):
    """What a stage that ended ok tells the stages that wait for it, beside its data.

    ``skip_reason`` is why conditional ones should be skipped, if they should. ``route`` is the one
    it has taken, if it decided on a route, and ``routing`` what the event says about that.
    """

    skip_reason: str = ""
    route: str | None = None
    routing: Mapping[str, Any] | None = None


class FailureHint(NamedTuple):
    """What the process of a stage knows of its failure, and deciding needs.

    ``is_covered``: the stage's retry policy covers the exception. ``retry_after_s`` is how long to
    wait at least; ``ignored_retry_after`` says why what was asked for does not count.
    ``is_rejection``: the stage returned its failure, as a guard does. ``fingerprint`` is equal for
    equal rejections. ``is_innocent``: its process was ended for what another execution did.
    ``counts``: its breaker counts it.
    """

    is_covered: bool = False
    retry_after_s: float | None = None
    ignored_retry_after: str | None = None
    is_rejection: bool = False
    fingerprint: str = ""
    is_innocent: bool = False
    counts: bool = False


NO_HINT = FailureHint()


@dataclass(slots=True)
class RunAccepted:
    """A run was asked for; ``limit_s`` is how long it may take."""

    at: float
    limit_s: float | None = None


@dataclass(slots=True)
class StageEnded:
    """The body of a stage has ended. ``detail`` goes into the event as it is.

    ``chance``, from 0 to 1, is what the jitter of a retry is made of. ``ahead`` are stages that are
    being executed already, as they wait for nothing else: the run catches up with them.
    """

    stage: int
    attempt: int
    ending: Ending
    at: float
    reason: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    signal: Signal | None = None
    hint: FailureHint = NO_HINT
    chance: float = 0.0
    ahead: tuple[int, ...] = ()


@dataclass(slots=True)
class StopHeard:
    """A body that was told to stop is doing so: only its cleanups are left."""

    stage: int
    attempt: int
    at: float


@dataclass(slots=True)
class TimerFired:
    """A timer that was armed has not been disarmed in time."""

    timer: Timer
    at: float


@dataclass(slots=True)
class CancelRequested:
    """Somebody outside asked to stop the run."""

    reason: str
    at: float


@dataclass(slots=True)
class Escalated:
    """The supervisor gave up: it ends all of its runs."""

    reason: str
    at: float


Fact = RunAccepted | StageEnded | StopHeard | TimerFired | CancelRequested | Escalated
