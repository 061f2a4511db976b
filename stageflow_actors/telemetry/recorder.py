"""``Recorder``: where values of metrics go. There is one in a process for each such place."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from stageflow_actors.telemetry.cardinality import Values
    from stageflow_actors.telemetry.instruments import Instrument


Add = Callable[[float], None]
"""Counts a value; to be called from any thread."""


class Recorder(Protocol):
    """OpenTelemetry, or Ray. To be called from any thread; must not wait."""

    def adder(self, instrument: Instrument, values: Values) -> Add:
        """What adds to a counter, or to a histogram: to what it has of these labels. To be kept,
        as it may take longer to find than to call.
        """

    def show(
        self, instrument: Instrument, value: float | None, values: Values, source: Hashable
    ) -> None:
        """What ``source`` has a gauge say from now on; ``None``: nothing any more."""


class Recorders:
    """By what they record to. However many runtimes there are, they share one: two would each have
    a bound of its own, and the gauges of the second would not be asked.
    """

    def __init__(self) -> None:
        self._made: WeakKeyDictionary[object, Recorder] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def of(self, target: object, make: Callable[[], Recorder]) -> Recorder:
        """The one that records to ``target``."""
        with self._lock:
            made = self._made.get(target)
            if made is None:
                made = self._made[target] = make()
            return made


RECORDERS = Recorders()
