"""How long a failed stage waits before it is tried again. Chance comes in as a number."""

from __future__ import annotations

import math

from stageflow_actors.model.policies.retry import BackoffStrategy, JitterStrategy, RetrySchedule


def delay_s(schedule: RetrySchedule, retry: int, previous_s: float, chance: float) -> float:
    """Seconds to wait before the ``retry``-th retry; the first is 1.

    ``chance`` is at least 0 and less than 1. ``previous_s`` is how long the last retry waited;
    only decorrelated jitter reads it, from the second retry on, and then not the backoff.
    """
    if schedule.jitter == JitterStrategy.DECORRELATED:
        return _decorrelated(
            schedule, schedule.initial_delay_s if retry == 1 else previous_s, chance
        )
    delay = min(_grown(schedule, retry), schedule.max_delay_s)
    if schedule.jitter == JitterStrategy.FULL:
        return chance * delay
    if schedule.jitter == JitterStrategy.EQUAL:
        return delay / 2 + chance * (delay / 2)
    return delay


def chosen_delay_s(
    schedule: RetrySchedule,
    retry: int,
    previous_s: float,
    chance: float,
    retry_after_s: float | None,
) -> float:
    """``delay_s``, and at least the ``retry_after_s`` that the failure asked for.

    That one has been checked already: ``max_delay_s`` does not shorten it.
    """
    computed = delay_s(schedule, retry, previous_s, chance)
    return computed if retry_after_s is None else max(computed, retry_after_s)


def _grown(schedule: RetrySchedule, retry: int) -> float:
    """The delay before cap and jitter; infinite where no float is large enough."""
    try:
        if schedule.backoff == BackoffStrategy.EXPONENTIAL:
            return math.ldexp(schedule.initial_delay_s, retry - 1)
        if schedule.backoff == BackoffStrategy.LINEAR:
            return schedule.initial_delay_s * retry
    except OverflowError:
        return math.inf
    return schedule.initial_delay_s


def _decorrelated(schedule: RetrySchedule, previous_s: float, chance: float) -> float:
    least = schedule.initial_delay_s
    most = max(least, 3 * previous_s)
    return min(least + chance * (most - least), schedule.max_delay_s)
