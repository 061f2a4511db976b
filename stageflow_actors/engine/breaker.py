"""``Breaker``: whether a stage that keeps failing is executed. The time comes in as a number.

::

    closed    -> open       failure_threshold failures in a row
    open      -> half-open  the first execution that is asked for after reset_timeout_s
    half-open -> closed     half_open_probes successes, and no failure
    half-open -> open       a failure

A *generation* is the time from one change of the state to the next. What an execution says counts
in the generation that admitted it, and never later: an old success closes no breaker, and an old
failure opens none.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stageflow_actors.model.policies.breaker import BreakerSettings


class BreakerState(StrEnum):
    """What becomes of the executions that are asked for."""

    CLOSED = "closed"
    """Each is admitted."""
    OPEN = "open"
    """None is."""
    HALF_OPEN = "half_open"
    """One at a time is, as a probe."""


@dataclass(slots=True, eq=False)
class Permit:
    """Leave for one execution, to be given back with word of how it ended.

    ``entered`` is the state that the breaker changed to by giving it, if any.
    """

    generation: int
    entered: BreakerState | None = None
    is_spent: bool = False


class Breaker:
    """The breaker of one stage, for the use of one thread.

    ``now`` is in seconds, of one monotonic clock. What ``record_...`` returns is the state that the
    breaker changed to, ``None`` if it did not change. An admission counts once: what is said of
    it again says nothing.

    A probe of which nothing is heard keeps others out for ``reset_timeout_s``. Then another one is
    admitted, so that the stage is executed at most once per window for each probe that is lost.
    The late one still counts if it is heard of before the state changes.
    """

    __slots__ = (
        "_generation",
        "_in_a_row",
        "_probe",
        "_retry_at",
        "_settings",
        "_state",
        "is_calm",
    )

    def __init__(self, settings: BreakerSettings) -> None:
        self._settings = settings
        self.is_calm = True
        """Closed, and without a failure since the last success: a success would change nothing."""
        self._state = BreakerState.CLOSED
        self._generation = 0
        # Ends in a row: of failures while closed, of successes while half-open.
        self._in_a_row = 0
        self._probe: Permit | None = None
        self._retry_at: float | None = None

    @property
    def state(self) -> BreakerState:
        """The state after the last call; an open breaker stays open until somebody asks."""
        return self._state

    @property
    def generation(self) -> int:
        """How often the state has changed."""
        return self._generation

    @property
    def retry_at(self) -> float | None:
        """When an execution is admitted at the latest; ``None`` if at once.

        While it is half-open that is when the probe is given up, whose end may come earlier.
        """
        return self._retry_at

    def admit(self, now: float) -> Permit | None:
        """Leave for one execution; ``None``: there must be none."""
        if self._state is BreakerState.CLOSED:
            return Permit(self._generation)
        if self._retry_at is not None and now < self._retry_at:
            return None
        is_first = self._state is BreakerState.OPEN
        entered = self._enter(BreakerState.HALF_OPEN) if is_first else None
        self._retry_at = now + self._settings.reset_timeout_s
        self._probe = Permit(self._generation, entered)
        return self._probe

    def record_success(self, admission: Permit, now: float) -> BreakerState | None:
        """The execution ended, and not with a failure that counts."""
        if not self._take_back(admission):
            return None
        if self._state is BreakerState.CLOSED:
            self._in_a_row = 0
            self.is_calm = True
            return None
        self._in_a_row += 1
        is_enough = self._in_a_row >= self._settings.half_open_probes
        return self._enter(BreakerState.CLOSED) if is_enough else None

    def record_failure(self, admission: Permit, now: float) -> BreakerState | None:
        """The execution ended with a failure that counts."""
        if not self._take_back(admission):
            return None
        if self._state is BreakerState.CLOSED:
            self.is_calm = False
            self._in_a_row += 1
            if self._in_a_row < self._settings.failure_threshold:
                return None
        entered = self._enter(BreakerState.OPEN)
        self._retry_at = now + self._settings.reset_timeout_s
        return entered

    def record_neither(self, admission: Permit, now: float) -> BreakerState | None:
        """The execution says nothing of the stage: it was stopped, or never begun."""
        self._take_back(admission)
        return None

    def _take_back(self, admission: Permit) -> bool:
        """Whether what is said of ``admission`` counts; its place is free for the next probe."""
        counts = not admission.is_spent and admission.generation == self._generation
        admission.is_spent = True
        if admission is self._probe:
            self._probe = self._retry_at = None
        return counts

    def _enter(self, state: BreakerState) -> BreakerState:
        self._state = state
        self._generation += 1
        self._in_a_row = 0
        self.is_calm = state is BreakerState.CLOSED
        self._probe = self._retry_at = None
        return state
