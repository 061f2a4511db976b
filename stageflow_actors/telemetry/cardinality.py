"""``BoundedSeries``: how many different labels a metric may have, and what becomes of the rest.

Whoever stores metrics keeps each set of labels for good: a name that is made up for each tenant
must not fill its memory, nor ours.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from stageflow_actors.telemetry.attributes import text_of
from stageflow_actors.telemetry.instruments import KEPT, Instrument

logger = logging.getLogger("stageflow_actors.telemetry")

MOST_SERIES = 200
"""Sets of labels of one instrument in this process."""
OTHER = "other"
"""What stands for every value beyond that."""

_OVERFLOWING = 20
"""So many of them are left to those where other values became ``other``."""
_MOST_CHARACTERS = 128

Values = tuple[str | None, ...]
Made = TypeVar("Made")


class BoundedSeries(Generic[Made]):
    """What ``make`` makes of the labels of ``instrument``, once for each set of them.

    A label without a value is ``None``. To be used from any thread.
    """

    __slots__ = ("_instrument", "_is_full", "_known", "_lock", "_made", "make")

    def __init__(self, instrument: Instrument, make: Callable[[Values], Made]) -> None:
        self._instrument = instrument
        self._known: dict[Values, Made] = {}
        self._made: dict[Values, Made] = {}
        self._lock = threading.Lock()
        self._is_full = False
        self.make = make

    def of(self, values: Values) -> Made:
        """That of ``values``, as they are, or of what stands for them."""
        known = self._known.get(values)
        return self._admit(values) if known is None else known

    def _admit(self, values: Values) -> Made:
        clean = tuple(map(label_of, values))
        with self._lock:
            made = self._made.get(clean)
            if made is None:
                if len(self._made) >= MOST_SERIES - _OVERFLOWING:
                    return self._overflow(clean)
                made = self._made[clean] = self.make(clean)
            if len(self._known) < MOST_SERIES:
                self._known[values] = made
            return made

    def _overflow(self, clean: Values) -> Made:
        if not self._is_full:
            self._is_full = True
            name = self._instrument.name
            logger.warning("'%s' has too many sets of labels; new ones are '%s'.", name, OTHER)
        kept = tuple(
            value if value is None or name in KEPT else OTHER
            for name, value in zip(self._instrument.labels, clean, strict=True)
        )
        if kept not in self._made and len(self._made) >= MOST_SERIES - 1:
            kept = (OTHER,) * len(clean)
        made = self._made.get(kept)
        if made is None:
            made = self._made[kept] = self.make(kept)
        return made


def label_of(value: object) -> str | None:
    """As a label: short Unicode in one line."""
    if value is None:
        return None
    text = text_of(value)[:_MOST_CHARACTERS]
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
