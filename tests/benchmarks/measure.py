"""How two things are compared: by turns, in pairs, by the median of their ratios.

Pure but for the clock. The load of a machine changes within seconds; what is measured by turns
meets the same load, so the ratio of a pair holds where neither of its two times does.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

Action = Callable[[], Awaitable[object]]
Probe = Callable[[], Awaitable[float]]
"""Measures once."""
Measured = TypeVar("Measured")
Choice = TypeVar("Choice")


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
class Effort:
    """How much time a pass over all figures may take."""

    pairs: int
    few: int
    """Pairs of what takes seconds each time."""
    is_quick: bool

    def of(self, full: Choice, quick: Choice) -> Choice:
        """The one that is meant for this pass."""
        return quick if self.is_quick else full

    @property
    def slow(self) -> Rounds:
        """One turn in each of a few pairs."""
        return Rounds(self.few, turns=1, warm_up=1)


QUICK = Effort(pairs=3, few=2, is_quick=True)
FULL = Effort(pairs=15, few=7, is_quick=False)


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

    def rates(self, amount: float) -> Comparison:
        """Of times that ``amount`` took each: how much was done in a second."""
        return Comparison(
            tuple(amount / took for took in self.ours), tuple(amount / took for took in self.peer)
        )


async def compare(ours: Probe, peer: Probe, rounds: Rounds) -> Comparison:
    """Measure both by turns: ours, peer, ours, peer, to the last pair."""
    measured = await by_turns([ours, peer], rounds)
    pairs = range(0, len(measured), rounds.turns)
    medians = [
        [statistics.median(turn[side] for turn in measured[i : i + rounds.turns]) for i in pairs]
        for side in (0, 1)
    ]
    return Comparison(tuple(medians[0]), tuple(medians[1]))


async def by_turns(
    probes: Sequence[Callable[[], Awaitable[Measured]]], rounds: Rounds
) -> list[list[Measured]]:
    """Measure each once, then each again, to the last turn; of a turn what each measured."""
    for _ in range(rounds.warm_up):
        for probe in probes:
            await probe()
    turns = rounds.pairs * rounds.turns
    return [[await probe() for probe in probes] for _ in range(turns)]


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
