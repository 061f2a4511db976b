"""What has become worse since a pass whose figures were kept."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.figures import Figure
from tests.benchmarks.measure import Spread

TOLERANCE = 0.15
_PASSING = {"load"}
"""Facts that are others every time."""


@dataclass(frozen=True, slots=True)
class Change:
    """A figure before and now: its ratio, where it had one both times."""

    name: str
    before: float
    now: float
    unit: str

    def __str__(self) -> str:
        return f"{self.name}: {self.before:.3g} {self.unit} -> {self.now:.3g} {self.unit}"


@dataclass(frozen=True, slots=True)
class Baseline:
    """Figures that were kept, and what they were measured on."""

    figures: Sequence[Figure]
    machine: Mapping[str, str]


Key = tuple[str, str]


def worse_than(
    before: Sequence[Figure], now: Sequence[Figure], tolerance: float = TOLERANCE
) -> list[Change]:
    """Figures of both passes that are worse by more than ``tolerance``, as they are in ``now``.

    Figures are the same that have the same name and peer. Ratios are compared, which hold on
    another machine, too; where there are none, the amounts.
    """
    known = {_key(figure): figure for figure in before}
    pairs = [(known[_key(figure)], figure) for figure in now if _key(figure) in known]
    changes = [(figure, _change(former, figure)) for former, figure in pairs]
    return [
        change for figure, change in changes if _is_worse(change, figure.is_more_better, tolerance)
    ]


def without_baseline(before: Sequence[Figure], now: Sequence[Figure]) -> list[Figure]:
    """Figures that nothing is known of."""
    known = {_key(figure) for figure in before}
    return [figure for figure in now if _key(figure) not in known]


def merged(before: Sequence[Figure], now: Sequence[Figure]) -> list[Figure]:
    """The new figures in the place of the old; an old one that was not measured stays."""
    latest = {_key(figure): figure for figure in [*before, *now]}
    return list(latest.values())


def other_facts(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What the machine has now that it had otherwise then."""
    return [
        f"{name}: {before[name]} -> {value}"
        for name, value in now.items()
        if name not in _PASSING and name in before and before[name] != value
    ]


def read(written: str) -> Baseline:
    """What ``report.to_json`` wrote.

    Raises:
        ValueError: it is something else.
    """
    parts = json.loads(written)
    figures = [_figure(each) for each in _part(parts, "figures", list)]
    return Baseline(figures, _part(parts, "machine", dict))


def _part(parts: Any, name: str, kind: type[Any]) -> Any:
    if not isinstance(parts, dict) or not isinstance(parts.get(name), kind):
        raise ValueError(f"no report of figures: it has no {name}")
    return parts[name]


def _figure(written: Any) -> Figure:
    try:
        ratio = written["ratio"] and Spread(**written["ratio"])
        return Figure(**{**written, "ratio": ratio})
    except (TypeError, KeyError) as error:
        raise ValueError(f"no figure: {written!r:.80}") from error


def _key(figure: Figure) -> Key:
    return figure.name, figure.peer_name


def _change(before: Figure, now: Figure) -> Change:
    if before.ratio is not None and now.ratio is not None:
        return Change(now.name, before.ratio.median, now.ratio.median, "x")
    return Change(now.name, before.ours, now.ours, now.unit)


def _is_worse(change: Change, is_more_better: bool, tolerance: float) -> bool:
    if is_more_better:
        return change.now < change.before * (1 - tolerance)
    return change.now > change.before * (1 + tolerance)
