"""``Figure``: a measured value with its peer and the bar that it has to meet."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from tests.benchmarks.measure import Comparison, Spread


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the report."""

    name: str
    unit: str
    ours: float
    peer: float
    peer_name: str
    ratio: Spread | None
    """``None`` where a ratio would say nothing: a count has its exact value or has not."""
    bar: str
    is_met: bool


def timed_figure(
    name: str, unit: str, peer_name: str, measured: Comparison, *, at_most: float
) -> Figure:
    """A time whose bar is a multiple of its peer's; the median ratio of the pairs counts."""
    ratio = Spread.of(measured.ratios)
    return Figure(
        name=name,
        unit=unit,
        ours=statistics.median(measured.ours),
        peer=statistics.median(measured.peer),
        peer_name=peer_name,
        ratio=ratio,
        bar=f"<= {at_most:g}x",
        is_met=ratio.median <= at_most,
    )


def absolute_figure(
    name: str, unit: str, peer_name: str, measured: Comparison, *, at_most: float
) -> Figure:
    """A time whose bar is a time; what the peer takes stands beside it for comparison only."""
    ours = statistics.median(measured.ours)
    return Figure(
        name=name,
        unit=unit,
        ours=ours,
        peer=statistics.median(measured.peer),
        peer_name=peer_name,
        ratio=Spread.of(measured.ratios),
        bar=f"<= {at_most:g} {unit}",
        is_met=ours <= at_most,
    )


def percentile_figure(
    name: str,
    unit: str,
    ours: Sequence[float],
    peer: Sequence[float],
    peer_name: str,
    *,
    at_most: float,
) -> Figure:
    """The 99th percentile of single times, whose bar is a time; the peer's beside it."""
    p99 = _percentile(ours)
    return Figure(
        name=f"{name}, P99 of {len(ours)}",
        unit=unit,
        ours=p99,
        peer=_percentile(peer),
        peer_name=peer_name,
        ratio=None,
        bar=f"<= {at_most:g} {unit}",
        is_met=p99 <= at_most,
    )


def _percentile(values: Sequence[float]) -> float:
    """Nearest rank: of fewer than a hundred values, the largest."""
    ranked = sorted(values)
    return ranked[math.ceil(0.99 * len(ranked)) - 1]


def counted_figure(
    name: str, unit: str, ours: float, expected: float, expected_name: str
) -> Figure:
    """A count that has to be exact."""
    return Figure(
        name=name,
        unit=unit,
        ours=ours,
        peer=expected,
        peer_name=expected_name,
        ratio=None,
        bar=f"exactly {expected:g}",
        is_met=ours == expected,
    )
