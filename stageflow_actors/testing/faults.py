"""What can go wrong in a simulated run, and how often it did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from enum import StrEnum
from random import Random


class FaultKind(StrEnum):
    """One kind of fault. Each counts when it has happened, not when it was planned."""

    RAISES = "raises"
    """A body fails with an error that no policy covers."""
    TRANSIENT_ERROR = "transient_error"
    """A body fails with an error that its retry policy covers."""
    HANGS = "hangs"
    """A body never ends, and does not stop when told to: it has to be killed."""
    SLOW_STOP = "slow_stop"
    """A body that is told to stop says so, and takes its time."""
    IGNORES_STOP = "ignores_stop"
    """A body that is told to stop goes on for ever."""
    DIES = "dies"
    """The process dies, somewhere before the end of the body."""
    REPLY_LOST = "reply_lost"
    """The body did all its work, and its reply is lost."""
    POISON = "poison"
    """The input is such that the process dies whenever the stage runs in this run."""
    INNOCENT_KILL = "innocent_kill"
    """The process is ended for what another execution did."""
    DIES_AHEAD = "dies_ahead"
    """A process dies that has begun more than its run has heard of."""
    DUPLICATE_END = "duplicate_end"
    """The end of a body is told twice."""
    LATE_END = "late_end"
    """The end of an attempt is told once more when a newer attempt has begun."""
    REORDERED = "reordered"
    """Facts of one tick come in another order than they happened in."""
    CANCELLED_OUTSIDE = "cancelled_outside"
    """Somebody cancels the run."""
    RUN_DEADLINE = "run_deadline"
    """The run uses up its time."""
    ESCALATES = "escalates"
    """The supervisor gives up, and ends all of its runs."""
    GUARD_REJECTS = "guard_rejects"
    """A guard rejects what its producer made."""
    RETRY_AFTER = "retry_after"
    """A failure says how long to wait before the next attempt."""
    CLOCK_JUMP = "clock_jump"
    """The wall clock jumps by up to an hour, back or forth; timers do not notice."""


_BODY_FAULTS = (
    FaultKind.RAISES,
    *[FaultKind.TRANSIENT_ERROR] * 3,  # only stages with a policy can have it
    *[FaultKind.HANGS] * 2,  # only those that will be stopped
    FaultKind.DIES,
    FaultKind.REPLY_LOST,
    FaultKind.POISON,
    FaultKind.INNOCENT_KILL,
    FaultKind.GUARD_REJECTS,
    FaultKind.RETRY_AFTER,
)


class FaultPlan:
    """Which faults a run may meet. Every run has its own selection, and its own rate of them."""

    def __init__(self, random: Random, allowed: Collection[FaultKind]) -> None:
        self._random = random
        share = random.choice((0.6, 0.8, 1.0))
        drawn = [kind for kind in FaultKind if random.random() < share]
        self.active = frozenset(kind for kind in drawn if kind in allowed)
        self.rate = random.choice((0.1, 0.2, 0.4, 0.7))
        self.counts: Counter[FaultKind] = Counter()

    def note(self, kind: FaultKind) -> None:
        """It has happened."""
        self.counts[kind] += 1

    def strikes(self, kind: FaultKind, chance: float) -> bool:
        """Whether a fault of this kind is to happen now; ``chance`` is from 0 to 1."""
        is_due = self._random.random() < chance
        return is_due and kind in self.active

    def draw_for_body(self, impossible: Collection[FaultKind]) -> FaultKind | None:
        """What goes wrong in one execution; ``None`` where nothing does."""
        possible = [kind for kind in _BODY_FAULTS if kind in self.active and kind not in impossible]
        if FaultKind.GUARD_REJECTS in possible and self._random.random() < 0.55:
            return FaultKind.GUARD_REJECTS
        if not possible or self._random.random() >= self.rate:
            return None
        return self._random.choice(possible)
