"""``KeyPlaces``: where the runs of ``Idempotency-Keys`` are, while keepers stand side by side."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from stageflow_actors.serving.replicas.places import Place

Name = tuple[str, str]
"""A tenant, and its key."""
_MOST = 10_000


class KeyPlaces:
    """What the oldest keeper says for all: the first that asks is told its own place, and who comes
    later the same. Beyond 10,000 keys the first go.
    """

    __slots__ = ("_places",)

    def __init__(self) -> None:
        self._places: OrderedDict[Name, Place] = OrderedDict()

    def settle(self, name: Name, asking: Place, gone: frozenset[Place]) -> Place:
        """The place of that key; where it has none, or that is gone, the one ``asking``."""
        place = self._places.get(name)
        if place is None or place in gone:
            place = asking
            self.take([(name, asking)])
        return place

    def told(self) -> list[tuple[Name, Place]]:
        """All of it, for whoever is the oldest next."""
        return [*self._places.items()]

    def take(self, told: Iterable[tuple[Name, Place]]) -> None:
        """Take over what another one has said."""
        self._places.update(told)
        while len(self._places) > _MOST:
            self._places.popitem(last=False)
