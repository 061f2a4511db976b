"""``Cost``: what a burst of runs took of the clock and of the processors."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from tests.benchmarks.measure import Action, Comparison


class Cost(NamedTuple):
    """Both in seconds."""

    took: float
    cpu: float


def costed(
    action: Action, cpu_seconds: Callable[[], float], settle: Action | None = None
) -> Callable[[], Awaitable[Cost]]:
    """Measures ``action``; what it leaves to settle costs processor time, too, and no other."""

    async def probe() -> Cost:
        used, began = cpu_seconds(), time.perf_counter()
        await action()
        took = time.perf_counter() - began
        if settle is not None:
            await settle()
        return Cost(took, cpu_seconds() - used)

    return probe


def mean_of(probe: Callable[[], Awaitable[Cost]], times: int = 3) -> Callable[[], Awaitable[Cost]]:
    """Measures some in a row: a collection of garbage falls into one burst, and not into the next.

    One burst alone takes half as long again or not, and the median of a few is either.
    """

    async def several() -> Cost:
        took, cpu = zip(*[await probe() for _ in range(times)], strict=True)
        return Cost(sum(took) / times, sum(cpu) / times)

    return several


def times_of(turns: Sequence[Sequence[Cost]], peer: int) -> Comparison:
    """The first of each turn against the peer at that position."""
    return Comparison(
        tuple(turn[0].took for turn in turns), tuple(turn[peer].took for turn in turns)
    )


def cpu_of(turns: Sequence[Sequence[Cost]], peer: int, scale: float) -> Comparison:
    """The same of processor time, in seconds times ``scale``."""
    return Comparison(
        tuple(turn[0].cpu * scale for turn in turns),
        tuple(turn[peer].cpu * scale for turn in turns),
    )
