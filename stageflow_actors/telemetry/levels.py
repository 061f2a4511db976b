"""``Levels``: what a gauge says now, put together from what several deployments say."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

from stageflow_actors.telemetry.cardinality import Values
from stageflow_actors.telemetry.instruments import Instrument, Instruments

Labels = TypeVar("Labels")


class Levels(Generic[Labels]):
    """Of one instrument. ``labels`` are those of the series that a value counts for: several may
    count for one. To be used from any thread.
    """

    def __init__(self, instrument: Instrument) -> None:
        self._put_together: Callable[[Iterable[float]], float] = (
            max if instrument is Instruments.BREAKER else sum  # the worst state is the one to know
        )
        self._shown: dict[tuple[Hashable, Values], tuple[float, Labels]] = {}
        self._lock = threading.Lock()

    def put(self, source: Hashable, values: Values, value: float | None, labels: Labels) -> None:
        """What ``source`` says of ``values``; ``None``: nothing any more."""
        with self._lock:
            if value is None:
                self._shown.pop((source, values), None)
            else:
                self._shown[source, values] = value, labels

    def total(self, labels: Labels) -> float | None:
        """What there is for these very ``labels``; ``None``: nothing."""
        return next((value for value, each in self.totals() if each is labels), None)

    def totals(self) -> list[tuple[float, Labels]]:
        """One value for each series."""
        with self._lock:
            shown = list(self._shown.values())
        series: dict[int, tuple[list[float], Labels]] = {}
        for value, labels in shown:
            series.setdefault(id(labels), ([], labels))[0].append(value)
        return [(self._put_together(values), labels) for values, labels in series.values()]
