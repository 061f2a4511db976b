"""``Figure``: a measured value with its peer and the bar that it has to meet.

A row of the report is a figure, or a ``Skipped`` that says why there is none.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from tests.benchmarks.measure import Comparison, Spread


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured row of the report."""

    name: str
    unit: str
    ours: float
    peer: float
    peer_name: str
    ratio: Spread | None
    """Ours as a multiple of the peer's; ``None`` where it would say nothing, as of a count."""
    bar: str
    is_met: bool | None
    """``None`` where the figure is reported without a bar."""
    limit: float | None = None
    """The bar as a ratio, where it is one."""
    is_more_better: bool = False


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row that was not measured, and why."""

    name: str
    reason: str


Row = Figure | Skipped


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
        limit=at_most,
    )


def rate_figure(
    name: str, unit: str, peer_name: str, rates: Comparison, *, at_least: float
) -> Figure:
    """A rate, which had better be high; its bar is a multiple of its peer's."""
    ratio = Spread.of(rates.ratios)
    return Figure(
        name=name,
        unit=unit,
        ours=statistics.median(rates.ours),
        peer=statistics.median(rates.peer),
        peer_name=peer_name,
        ratio=ratio,
        bar=f">= {at_least:g}x",
        is_met=ratio.median >= at_least,
        limit=at_least,
        is_more_better=True,
    )


def reported_figure(name: str, unit: str, peer_name: str, measured: Comparison) -> Figure:
    """What is better low, and has no bar."""
    return Figure(
        name=name,
        unit=unit,
        ours=statistics.median(measured.ours),
        peer=statistics.median(measured.peer),
        peer_name=peer_name,
        ratio=Spread.of(measured.ratios),
        bar="reported",
        is_met=None,
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
        name=f"{name}, P99",
        unit=unit,
        ours=p99,
        peer=_percentile(peer),
        peer_name=peer_name,
        ratio=None,
        bar=f"<= {at_most:g} {unit} (of {len(ours)})",
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


def bounded_figure(name: str, unit: str, ours: float, *, at_most: float) -> Figure:
    """An amount that may not be larger, with nothing beside it."""
    return Figure(
        name=name,
        unit=unit,
        ours=ours,
        peer=at_most,
        peer_name="the bar",
        ratio=None,
        bar=f"<= {at_most:g} {unit}",
        is_met=ours <= at_most,
    )
