"""How two things are compared: by turns, in pairs, by the median of their ratios.

Pure but for the clock. The load of a machine changes within seconds; what is measured by turns
meets the same load, so the ratio of a pair holds where neither of its two times does.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Self

Action = Callable[[], Awaitable[object]]
Probe = Callable[[], Awaitable[float]]
"""Measures once."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle of some values, and the range of the middle 80 % of them."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Of one value or more."""
        ranked = sorted(values)
        last = len(ranked) - 1
        return cls(statistics.median(ranked), ranked[round(last * 0.1)], ranked[round(last * 0.9)])


@dataclass(frozen=True, slots=True)
class Rounds:
    """How often: ``pairs`` times ``turns`` of each side, after ``warm_up`` turns that count not."""

    pairs: int
    turns: int
    warm_up: int = 2


@dataclass(frozen=True, slots=True)
class Comparison:
    """The median of each side, pair by pair."""

    ours: tuple[float, ...]
    peer: tuple[float, ...]

    @property
    def ratios(self) -> tuple[float, ...]:
        """Ours as a multiple of the peer's."""
        return tuple(ours / peer for ours, peer in zip(self.ours, self.peer, strict=True))


async def compare(ours: Probe, peer: Probe, rounds: Rounds) -> Comparison:
    """Measure both by turns: ours, peer, ours, peer, to the last pair."""
    for _ in range(rounds.warm_up):
        await ours()
        await peer()
    pairs = [await _pair(ours, peer, rounds.turns) for _ in range(rounds.pairs)]
    return Comparison(tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs))


async def _pair(ours: Probe, peer: Probe, turns: int) -> tuple[float, float]:
    measured = [(await ours(), await peer()) for _ in range(turns)]
    return statistics.median(m[0] for m in measured), statistics.median(m[1] for m in measured)


def timed(action: Action, scale: float, settle: Action | None = None) -> Probe:
    """Times ``action`` in seconds times ``scale``, then lets its after-effects settle, untimed."""

    async def probe() -> float:
        began = time.perf_counter()
        await action()
        took = time.perf_counter() - began
        if settle is not None:
            await settle()
        return took * scale

    return probe
