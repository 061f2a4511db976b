"""``RetryPolicy``: which failures are tried again, how often and after how long."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from stageflow_actors.errors import StageLostError, StageTimeoutError, TransientError
from stageflow_actors.model.policies.numbers import check_count, check_seconds, refuse

TRANSIENT: tuple[type[BaseException], ...] = (
    TimeoutError,
    ConnectionError,
    OSError,
    TransientError,
)
"""Errors that often pass. ``TimeoutError`` and ``ConnectionError`` are among the ``OSError``s."""


class BackoffStrategy(StrEnum):
    """How the delay grows with the retries."""

    EXPONENTIAL = "exponential"
    LINEAR = "linear"
    CONSTANT = "constant"


class JitterStrategy(StrEnum):
    """How chance spreads the delay; names and formulas as in the AWS Architecture Blog,
    "Exponential Backoff And Jitter" (2015).
    """

    NONE = "none"
    FULL = "full"
    """Between 0 and the delay."""
    EQUAL = "equal"
    """Between half the delay and the delay."""
    DECORRELATED = "decorrelated"
    """Between the base and three times the last delay."""


class RetrySchedule(NamedTuple):
    """A ``RetryPolicy`` as plain data: what deciding needs, without a class of the user's."""

    max_attempts: int
    initial_delay_s: float
    max_delay_s: float
    max_retry_after_s: float
    backoff: str
    jitter: str
    covers_timeout: bool
    covers_loss: bool


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """A stage that fails is executed again, up to ``max_attempts`` times in all.

    A failure is retried if it is one of ``retry_on`` and none of ``never_on``. The delay, never
    more than ``max_delay_s`` before jitter, is at least the ``retry_after`` (seconds, or an HTTP
    date as in RFC 9110, section 10.2.3) that the exception carries, unless that is malformed,
    negative or beyond ``max_retry_after_s``. Timeouts of the stage are ``TimeoutError``. Its dead
    process is a ``StageLostError``, to be named by those who know that repeating does no harm.

    Raises:
        PolicyError: a number or a class that cannot be used.
    """

    max_attempts: int = 3
    initial_delay_s: float = 1.0
    max_delay_s: float = 30.0
    backoff: BackoffStrategy = BackoffStrategy.EXPONENTIAL
    jitter: JitterStrategy = JitterStrategy.FULL
    retry_on: tuple[type[BaseException], ...] = TRANSIENT
    never_on: tuple[type[BaseException], ...] = ()
    max_retry_after_s: float = 60.0

    def __post_init__(self) -> None:
        name = type(self).__name__
        check_count(name, {"max_attempts": self.max_attempts})
        delays = {"initial_delay_s": self.initial_delay_s, "max_delay_s": self.max_delay_s}
        check_seconds(name, delays, may_be_zero=True)
        check_seconds(name, {"max_retry_after_s": self.max_retry_after_s}, may_be_zero=True)
        for field, kind in (("backoff", BackoffStrategy), ("jitter", JitterStrategy)):
            value = getattr(self, field)
            if value not in list(kind):
                refuse(name, field, value, f"Known: {', '.join(kind)}.")
            object.__setattr__(self, field, kind(value))
        for field in ("retry_on", "never_on"):
            object.__setattr__(self, field, error_classes(name, field, getattr(self, field)))

    def covers(self, error: BaseException | type[BaseException]) -> bool:
        """Whether a failure with ``error`` is retried."""
        kind = error if isinstance(error, type) else type(error)
        return issubclass(kind, self.retry_on) and not issubclass(kind, self.never_on)

    @property
    def schedule(self) -> RetrySchedule:
        """The policy as plain data."""
        return RetrySchedule(
            int(self.max_attempts),
            float(self.initial_delay_s),
            float(self.max_delay_s),
            float(self.max_retry_after_s),
            self.backoff.value,
            self.jitter.value,
            self.covers(StageTimeoutError),
            self.covers(StageLostError),
        )


def error_classes(policy: str, field: str, given: object) -> tuple[type[BaseException], ...]:
    """One exception class, or several, as a tuple.

    Raises:
        PolicyError: something else was given.
    """
    classes = given if isinstance(given, (tuple, list, set, frozenset)) else (given,)
    for each in classes:
        if not (isinstance(each, type) and issubclass(each, BaseException)):
            refuse(policy, field, given, "Give exception classes.")
    return tuple(classes)
