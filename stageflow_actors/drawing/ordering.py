"""The order of the places within each layer: by barycentres, so that few links cross."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence

from stageflow_actors.drawing.layers import Layered, Link

_MAX_SWEEPS = 24
_PATIENCE = 4
"""Sweeps without an improvement before we stop."""

Order = tuple[tuple[int, ...], ...]


def order_layers(layered: Layered) -> Order:
    """The places of each layer, in the order to draw them in; ties stay as declared."""
    above, below = _neighbours(layered)
    best = order = layered.layers
    fewest = count_crossings(order, layered.links)
    since_best = 0
    for sweep in range(_MAX_SWEEPS):
        if not fewest or since_best > _PATIENCE:
            break
        order = _sweep_down(order, above) if sweep % 2 == 0 else _sweep_up(order, below)
        order = _switch_neighbours(order, above, below)
        crossings = count_crossings(order, layered.links)
        since_best += 1
        if crossings < fewest:
            best, fewest, since_best = order, crossings, 0
    return best


def count_crossings(order: Order, links: Sequence[Link]) -> int:
    """How often two links cross, for straight links between the layers."""
    position = {place: index for layer in order for index, place in enumerate(layer)}
    layer_of = {place: number for number, layer in enumerate(order) for place in layer}
    between: list[list[tuple[int, int]]] = [[] for _ in order]
    for link in {(link.start, link.end): link for link in links}.values():
        between[layer_of[link.start]].append((position[link.start], position[link.end]))
    return sum(map(_inversions, between))


def _inversions(pairs: list[tuple[int, int]]) -> int:
    passed: list[int] = []
    crossings = 0
    for _start, end in sorted(pairs):
        crossings += len(passed) - bisect_right(passed, end)
        insort(passed, end)
    return crossings


def _neighbours(layered: Layered) -> tuple[list[list[int]], list[list[int]]]:
    """What each place is linked to in the layer above it, and in the one below."""
    above: list[list[int]] = [[] for _ in range(layered.place_count)]
    below: list[list[int]] = [[] for _ in range(layered.place_count)]
    for link in layered.links:
        above[link.end].append(link.start)
        below[link.start].append(link.end)
    return above, below


def _sweep_down(order: Order, above: list[list[int]]) -> Order:
    swept = list(order[:1])
    for layer in order[1:]:
        swept.append(_sorted_by_barycentre(layer, swept[-1], above))
    return tuple(swept)


def _sweep_up(order: Order, below: list[list[int]]) -> Order:
    swept = list(order[-1:])
    for layer in reversed(order[:-1]):
        swept.append(_sorted_by_barycentre(layer, swept[-1], below))
    return tuple(reversed(swept))


def _sorted_by_barycentre(
    layer: Sequence[int], fixed: Sequence[int], linked: list[list[int]]
) -> tuple[int, ...]:
    """A place without links into the fixed layer keeps its share of the width."""
    position = {place: index for index, place in enumerate(fixed)}
    share = (len(fixed) - 1) / max(1, len(layer) - 1)

    def barycentre(entry: tuple[int, int]) -> float:
        index, place = entry
        ends = [position[other] for other in linked[place]]
        return sum(ends) / len(ends) if ends else index * share

    return tuple(place for _index, place in sorted(enumerate(layer), key=barycentre))


def _switch_neighbours(order: Order, above: list[list[int]], below: list[list[int]]) -> Order:
    """Switch two places side by side wherever that takes crossings away."""
    layers = [list(layer) for layer in order]
    for number, layer in enumerate(layers):
        upper = layers[number - 1] if number else []
        lower = layers[number + 1] if number + 1 < len(layers) else []
        sides = [(_positions(upper), above), (_positions(lower), below)]
        for index in range(len(layer) - 1):
            left, right = layer[index : index + 2]
            if _gain(left, right, sides) > 0:
                layer[index : index + 2] = right, left
    return tuple(map(tuple, layers))


def _gain(left: int, right: int, sides: Iterable[tuple[dict[int, int], list[list[int]]]]) -> int:
    """How many crossings fewer there would be with ``left`` and ``right`` switched."""
    gain = 0
    for position, linked in sides:
        for one in linked[left]:
            for other in linked[right]:
                gain += (position[one] > position[other]) - (position[one] < position[other])
    return gain


def _positions(layer: Sequence[int]) -> dict[int, int]:
    return {place: index for index, place in enumerate(layer)}
