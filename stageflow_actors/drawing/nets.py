"""``Net``: links drawn as one connected line, and the tracks on which the lines change place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from stageflow_actors.drawing.diagram import EdgeKind
from stageflow_actors.drawing.layers import Link

Targets = frozenset[tuple[int, str]]
"""Places, and the labels of the links to them."""


@dataclass(frozen=True, slots=True)
class Net:
    """Every source is linked to every target, so that one line can join them all.

    ``is_dashed`` for links of order; ``sources`` and ``targets`` are places of two neighbouring
    layers.
    """

    is_dashed: bool
    sources: tuple[int, ...]
    targets: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Wire:
    """A net with the positions across the flow at which it leaves its sources and meets its
    targets, and the number of its track; ``None`` where it runs straight.
    """

    net: Net
    leaves: tuple[int, ...]
    enters: tuple[int, ...]
    track: int | None = None

    @property
    def span(self) -> tuple[int, int]:
        """From where to where it runs on its track."""
        everywhere = (*self.leaves, *self.enters)
        return min(everywhere), max(everywhere)


def nets_of(links: Sequence[Link]) -> list[Net]:
    """The nets of the links between two layers: sources with exactly the same targets share one."""
    targets: dict[tuple[bool, int], set[tuple[int, str]]] = {}
    for link in links:
        key = link.kind is EdgeKind.ORDER, link.start
        targets.setdefault(key, set()).add((link.end, link.label))
    sources: dict[tuple[bool, Targets], list[int]] = {}
    for (is_dashed, source), reached in targets.items():
        sources.setdefault((is_dashed, frozenset(reached)), []).append(source)
    return [
        Net(is_dashed, tuple(shared), tuple(sorted(reached)))
        for (is_dashed, reached), shared in sources.items()
    ]


def on_tracks(wires: Sequence[Wire]) -> list[Wire] | None:
    """The wires between two layers on as few tracks as a simple search finds.

    Where one wire leaves a source at the position at which another one meets its target, the first
    has to turn off before the second turns in. ``None`` if they ask that of each other in a circle.
    """
    before: dict[int, set[int]] = {index: set() for index in range(len(wires))}
    for index, wire in enumerate(wires):
        for other, later in enumerate(wires):
            if other != index and set(wire.leaves) & set(later.enters):
                before[other].add(index)
    sorter = TopologicalSorter(before)
    try:
        order = list(sorter.static_order())
    except CycleError:
        return None
    return _assigned(wires, order, before)


def _assigned(
    wires: Sequence[Wire], order: Sequence[int], before: dict[int, set[int]]
) -> list[Wire]:
    taken: list[list[tuple[int, int]]] = []  # the spans on each track
    tracks: dict[int, int] = {}
    done = []
    for index in order:
        wire = wires[index]
        top, bottom = wire.span
        if top == bottom:
            done.append(wire)
            continue
        track = max((tracks[other] + 1 for other in before[index] if other in tracks), default=0)
        while track < len(taken) and any(t <= bottom and top <= b for t, b in taken[track]):
            track += 1
        taken += [[] for _ in range(track + 1 - len(taken))]
        taken[track].append((top, bottom))
        tracks[index] = track
        done.append(Wire(wire.net, wire.leaves, wire.enters, track))
    return done
