"""``Lineage``: the stages of pipelines that grew from one another."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from stageflow_actors.model.stage import StageSpec


class Lineage:
    """One append-only list that pipelines share which grew from one another.

    Each of them sees its own length of it, so none ever changes, and adding n stages one by one is
    linear. Where two grow from the same pipeline, the second one gets a list of its own.
    """

    __slots__ = ("_lock", "_positions", "_specs")

    def __init__(self, specs: Sequence[StageSpec] = ()) -> None:
        self._specs = list(specs)
        self._positions = {spec.name: index for index, spec in enumerate(self._specs)}
        self._lock = threading.Lock()

    def first(self, length: int) -> list[StageSpec]:
        """The first ``length`` stages."""
        return self._specs[:length]

    def find(self, name: str, length: int) -> StageSpec | None:
        """The stage of that name among the first ``length``."""
        position = self._positions.get(name, length)
        return self._specs[position] if position < length else None

    def grow(self, length: int, spec: StageSpec) -> Lineage:
        """The list of a pipeline with the first ``length`` stages and one more."""
        with self._lock:
            if length == len(self._specs):
                self._positions[spec.name] = length
                self._specs.append(spec)
                return self
        return Lineage([*self.first(length), spec])
