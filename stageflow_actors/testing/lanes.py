"""``Lane``: what is known from outside about one stage, at one moment of a history."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import NamedTuple

from stageflow_actors.engine.facts import Ending
from stageflow_actors.testing.history import Record


class Outcome(StrEnum):
    """What became of an attempt, or of a stage that was skipped."""

    OK = "ok"
    SKIPPED = "skipped"
    FELL_BACK = "fell back"
    BRANCH_CANCELLED = "branch cancelled"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    RETRYING = "retrying"
    REJECTED = "rejected"
    """It is a guard, and what it guards is made again."""


PASSED = frozenset({Outcome.OK, Outcome.SKIPPED, Outcome.FELL_BACK, Outcome.BRANCH_CANCELLED})
FAILURES = frozenset({Ending.FAIL, Ending.RETRY, Ending.LOST, Ending.TIMED_OUT})


class Note(StrEnum):
    """Why stages behind this one may be skipped."""

    UNSELECTED = "unselected"
    BLOCKED = "blocked"
    REASON = "reason to skip"


class Rank(IntEnum):
    """What stops a run; the smallest of a tick decides."""

    ESCALATION = 1
    FAILURE = 2
    TIMEOUT = 3
    DEADLINE = 4
    STAGE_CANCEL = 5
    EXTERNAL_CANCEL = 6


class Cause(NamedTuple):
    """A reason for a run to stop; ``stage`` is -1 for the run's own and those from outside."""

    tick: int
    rank: Rank
    stage: int


class Change(NamedTuple):
    """A stage has come to an outcome. ``is_free``: it is repeated without charge; ``is_tolerated``:
    it has failed, and the run goes on without it.
    """

    tick: int
    stage: int
    attempt: int
    outcome: Outcome
    told: Record | None = None
    is_free: bool = False
    is_tolerated: bool = False


@dataclass(slots=True)
class Lane:
    """One stage. ``open`` is the attempt whose end has not been told, 0 for none.

    ``is_told``: it was told to stop; ``is_late``: because its time was up. ``in_doubt``: an
    attempt of it was lost or timed out. ``is_alone``: the last attempt had a process of its own.
    ``retries`` and ``deaths``, those that nothing else is guilty of, count since it was last
    forgotten, ``rejections`` those of a guard in a row. ``is_ahead``: a process has begun it, and
    the run has not caught up with that.
    """

    open: int = 0
    last: int = 0
    is_told: bool = False
    is_late: bool = False
    is_alone: bool = False
    is_ahead: bool = False
    outcome: Outcome | None = None
    is_tolerated: bool = False
    in_doubt: bool = False
    is_out_of_time: bool = False
    retries: int = 0
    deaths: int = 0
    retry_due: float = 0.0
    note: Note | None = None
    route: str | None = None
    rejections: int = 0
    fingerprint: str = ""
    equal_rejections: int = 0
    guard_time_up: int | None = None

    @property
    def has_begun(self) -> bool:
        """Whether it was started or skipped, and not forgotten since."""
        return self.open > 0 or self.outcome not in (None, Outcome.REJECTED)

    @property
    def has_passed(self) -> bool:
        """Whether what waits for it may go on, be it to be skipped."""
        return self.open == 0 and (self.outcome in PASSED or self.is_tolerated)

    @property
    def is_over(self) -> bool:
        """Whether nothing of it goes on."""
        return self.open == 0 and self.outcome is not Outcome.RETRYING

    def start(self, attempt: int, *, is_alone: bool) -> None:
        """Another attempt begins."""
        self.open = self.last = attempt
        self.is_alone = is_alone
        self.is_ahead = False
        self.is_told = self.is_late = self.is_tolerated = False
        self.outcome = None

    def forget(self) -> None:
        """It is as if it had never run, but for the number of its attempts and for doubts."""
        self.outcome, self.note, self.route = None, None, None
        self.is_tolerated = self.is_out_of_time = False
        self.retries = self.deaths = 0

    def count_rejection(self, fingerprint: str) -> None:
        """A guard has rejected once more."""
        is_same = self.rejections > 0 and fingerprint == self.fingerprint
        self.rejections += 1
        self.equal_rejections = self.equal_rejections + 1 if is_same else 1
        self.fingerprint = fingerprint
