"""``Grid``: where stages and lines lie on whole rows and columns of characters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import floor

from stageflow_actors.drawing.layers import Layered
from stageflow_actors.drawing.nets import Net, Wire, nets_of, on_tracks
from stageflow_actors.drawing.ordering import Order
from stageflow_actors.drawing.placing import not_falling, place_layers, straighten


@dataclass(frozen=True, slots=True)
class Grid:
    """Positions across the flow, in rows or columns.

    ``centres`` of every place, ``wires`` of every gap between two layers, ``enters`` and
    ``leaves``: how many wires meet and leave each place.
    """

    centres: tuple[int, ...]
    wires: tuple[tuple[Wire, ...], ...]
    enters: tuple[int, ...]
    leaves: tuple[int, ...]
    pitch: int
    is_staggered: bool

    def ports(self, place: int, count: int) -> list[int]:
        """Where ``count`` wires meet, or leave, ``place``: around its centre."""
        offsets = _port_offsets(count, self.pitch, self.is_staggered)
        return [self.centres[place] + offset for offset in offsets]


def grid_of(
    layered: Layered, order: Order, widths: Sequence[int], gap: int, pitch: int
) -> Grid | None:
    """The grid; ``widths`` is what each place needs across the flow, however few wires it has.

    Where wires would block each other, the layers lie on odd and even positions by turns, so that
    no wire leaves where another one enters.
    """
    for is_staggered in (False, True):
        rule = _Rule(layered, order, widths, gap, 2 if is_staggered else pitch, is_staggered)
        grid = rule.grid()
        if grid is not None:
            return grid
    return None


class _Rule:
    """One attempt at a grid."""

    def __init__(
        self,
        layered: Layered,
        order: Order,
        widths: Sequence[int],
        gap: int,
        pitch: int,
        is_staggered: bool,
    ) -> None:
        self._layered = layered
        self._order = order
        self._gap = gap
        self._pitch = pitch
        self._is_staggered = is_staggered
        self._nets = _nets_by_gap(layered, order)
        self._enters = [0] * layered.place_count
        self._leaves = [0] * layered.place_count
        for net in (net for nets in self._nets for net in nets):
            for source in net.sources:
                self._leaves[source] += 1
            for target, _label in net.targets:
                self._enters[target] += 1
        self._reach = [self._reach_of(place, width) for place, width in enumerate(widths)]

    def grid(self) -> Grid | None:
        extents = [float(low + high + 1) for low, high in self._reach]
        wanted = place_layers(self._layered, self._order, extents, self._gap - 1)
        centres = self._on_whole_positions(wanted)
        grid = Grid(
            tuple(centres), (), tuple(self._enters), tuple(self._leaves),
            self._pitch, self._is_staggered,
        )  # fmt: skip
        gaps = []
        for nets in self._nets:
            wires = on_tracks(_wires_of(nets, grid))
            if wires is None:
                return None
            gaps.append(tuple(wires))
        return replace(grid, wires=tuple(gaps))

    def _reach_of(self, place: int, width: int) -> tuple[int, int]:
        """How far a place extends before and behind its centre."""
        count = max(1, self._enters[place], self._leaves[place])
        ports = _port_offsets(count, self._pitch, self._is_staggered)
        return max(-ports[0], width // 2), max(ports[-1], width - 1 - width // 2)

    def _on_whole_positions(self, wanted: Sequence[float]) -> list[int]:
        step = 2 if self._is_staggered else 1
        centres = [0] * len(wanted)
        for depth, layer in enumerate(self._order):
            odd, needed = depth % step, self._needed(layer, step)
            wishes = [
                (wanted[place] - room, 1.0) for place, room in zip(layer, needed, strict=True)
            ]
            levels = not_falling(wishes)
            for place, level, room in zip(layer, levels, needed, strict=True):
                centres[place] = step * floor((level - odd) / step + 0.5) + odd + room
        if not self._is_staggered:
            straight = straighten(self._layered, self._order, centres, self._reach, self._gap)
            centres = [floor(centre + 0.5) for centre in straight]
        lowest = min(
            centre - low for centre, (low, _high) in zip(centres, self._reach, strict=True)
        )
        return [centre - step * (lowest // step) for centre in centres]

    def _needed(self, layer: Sequence[int], step: int) -> list[int]:
        """The least distance from the first place of a layer to each of its places."""
        needed = [0]
        for left, right in pairwise(layer):
            apart = self._reach[left][1] + self._gap + self._reach[right][0]
            needed.append(needed[-1] + step * -(-apart // step))
        return needed


def _port_offsets(count: int, pitch: int, is_staggered: bool) -> list[int]:
    """``count`` positions around 0, ``pitch`` apart; even ones only, where layers are staggered."""
    first = pitch * ((count - 1) // 2) if is_staggered else pitch * (count - 1) // 2
    return [pitch * number - first for number in range(count)]


def _nets_by_gap(layered: Layered, order: Order) -> list[list[Net]]:
    depth_of = {place: depth for depth, layer in enumerate(order) for place in layer}
    links = [
        [link for link in layered.links if depth_of[link.start] == depth]
        for depth in range(len(order) - 1)
    ]
    return [nets_of(each) for each in links]


def _wires_of(nets: Sequence[Net], grid: Grid) -> list[Wire]:
    """Each net at its ports; wires that come from further up use the upper ports."""
    leaving: dict[tuple[int, int], int] = {}
    entering: dict[tuple[int, int], int] = {}
    by_end = sorted(range(len(nets)), key=lambda n: _mean(grid, [t for t, _ in nets[n].targets]))
    by_start = sorted(range(len(nets)), key=lambda n: _mean(grid, nets[n].sources))
    free_out = {p: grid.ports(p, grid.leaves[p]) for net in nets for p in net.sources}
    free_in = {p: grid.ports(p, grid.enters[p]) for net in nets for p, _ in net.targets}
    for number in by_end:
        for source in nets[number].sources:
            leaving[number, source] = free_out[source].pop(0)
    for number in by_start:
        for target, _label in nets[number].targets:
            entering[number, target] = free_in[target].pop(0)
    return [
        Wire(
            net,
            tuple(leaving[number, source] for source in net.sources),
            tuple(entering[number, target] for target, _label in net.targets),
        )
        for number, net in enumerate(nets)
    ]


def _mean(grid: Grid, places: Sequence[int]) -> float:
    return sum(grid.centres[place] for place in places) / len(places)
