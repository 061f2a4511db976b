"""``Measured``: of which pipelines the stages are measured, and the runs that these start."""

from __future__ import annotations

from typing import NamedTuple

_MOST = 10_000
"""Pipelines that are not measured in full; beyond it the one that was told first is."""


class Measures(NamedTuple):
    """What is measured of a pipeline beside its runs: its stages, the runs that they start."""

    stages: bool = True
    children: bool = True


class Measured:
    """By the name that the events of a run have. Pipelines that nobody told of are measured.

    Where two pipelines have one name, the one that was told of last counts.
    """

    def __init__(self) -> None:
        self._in_full = Measures()
        self._others: dict[str, Measures] = {}

    def tell(self, pipeline: str, measures: Measures) -> None:
        """What is to be measured of it."""
        others = self._others
        if all(measures):
            others.pop(pipeline, None)
            return
        if len(others) >= _MOST and pipeline not in others:
            others.pop(next(iter(others)), None)
        others[pipeline] = measures

    def of(self, pipeline: str) -> Measures:
        """What is."""
        return self._others.get(pipeline, self._in_full)
