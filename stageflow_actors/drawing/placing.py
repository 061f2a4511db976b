"""Where the places of each layer lie: near what they are linked to, in order, not too close."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from math import inf

from stageflow_actors.drawing.layers import Layered
from stageflow_actors.drawing.ordering import Order

_ROUNDS = 24
_BEND_WEIGHT = 16.0
"""How much more a link between two bends wants to be straight than one that touches a stage."""


def place_layers(
    layered: Layered, order: Order, extents: Sequence[float], gap: float
) -> list[float]:
    """The centre of each place across the layers.

    Two neighbours of one layer, ``extents`` wide, lie at least ``gap`` apart. Each round moves
    every layer to where its links are shortest, in least squares, as far as its order allows.
    """
    centres = [0.0] * layered.place_count
    for layer in order:
        _pack(layer, centres, extents, gap)
    downward, upward = _weighted_links(layered)
    for round_ in range(_ROUNDS):
        is_last = round_ == _ROUNDS - 1
        for layer in order[1:]:
            _pull(layer, centres, downward, extents, gap)
        for layer in reversed(order[:-1]):
            _pull(layer, centres, upward, extents, gap)
        if is_last:
            _pull_all(order, centres, downward, upward, extents, gap)
    reach = [(extent / 2, extent / 2) for extent in extents]
    centres = straighten(layered, order, centres, reach, gap)
    lowest = min((centres[p] - extents[p] / 2 for p in range(len(centres))), default=0.0)
    return [centre - lowest for centre in centres]


def straighten(
    layered: Layered,
    order: Order,
    centres: Sequence[float],
    reach: Sequence[tuple[float, float]],
    gap: float,
) -> list[float]:
    """Put the places of each chain on one line, as far as their neighbours leave room.

    ``reach`` is how far each place extends before and behind its centre.
    """
    straight = list(centres)
    before, behind = _side_by_side(order)

    def room(place: int) -> tuple[float, float]:
        low, high = reach[place]
        left, right = before.get(place), behind.get(place)
        first = -inf if left is None else straight[left] + reach[left][1] + gap + low
        last = inf if right is None else straight[right] - reach[right][0] - gap - high
        return first, last

    for chain in _chains(layered):
        start = 0
        while start < len(chain):
            first, last, end = -inf, inf, start
            while end < len(chain):
                lower, upper = room(chain[end])
                if max(first, lower) > min(last, upper):
                    break
                first, last, end = max(first, lower), min(last, upper), end + 1
            together = chain[start:end]
            for place in together:
                straight[place] = min(max(_mean_of(together, centres), first), last)
            start = max(end, start + 1)
    return straight


def _mean_of(places: Sequence[int], centres: Sequence[float]) -> float:
    return sum(centres[place] for place in places) / len(places)


def _side_by_side(order: Order) -> tuple[dict[int, int], dict[int, int]]:
    before, behind = {}, {}
    for layer in order:
        for left, right in pairwise(layer):
            before[right], behind[left] = left, right
    return before, behind


def _chains(layered: Layered) -> list[list[int]]:
    """Places that follow one another: the bends of a long edge, and stages without a fork."""
    forks = Counter(link.start for link in layered.links)
    joins = Counter(link.end for link in layered.links)
    after = {
        link.start: link.end
        for link in layered.links
        if (layered.is_bend(link.start) and layered.is_bend(link.end))
        or (forks[link.start] == 1 and joins[link.end] == 1)
    }
    later = set(after.values())
    chains = []
    for first in after:
        if first not in later:
            chain = [first]
            while chain[-1] in after:
                chain.append(after[chain[-1]])
            chains.append(chain)
    return chains


Weighted = list[list[tuple[int, float]]]


def _weighted_links(layered: Layered) -> tuple[Weighted, Weighted]:
    downward: Weighted = [[] for _ in range(layered.place_count)]
    upward: Weighted = [[] for _ in range(layered.place_count)]
    for link in layered.links:
        bends = layered.is_bend(link.start) + layered.is_bend(link.end)
        weight = (1.0, 3.0, _BEND_WEIGHT)[bends]
        downward[link.end].append((link.start, weight))
        upward[link.start].append((link.end, weight))
    return downward, upward


def _pack(layer: Sequence[int], centres: list[float], extents: Sequence[float], gap: float) -> None:
    """Side by side around 0."""
    width = sum(extents[place] for place in layer) + gap * (len(layer) - 1)
    edge = -width / 2
    for place in layer:
        centres[place] = edge + extents[place] / 2
        edge += extents[place] + gap


def _pull_all(
    order: Order,
    centres: list[float],
    downward: Weighted,
    upward: Weighted,
    extents: Sequence[float],
    gap: float,
) -> None:
    both = [[*above, *below] for above, below in zip(downward, upward, strict=True)]
    for layer in order:
        _pull(layer, centres, both, extents, gap)


def _pull(
    layer: Sequence[int],
    centres: list[float],
    linked: Weighted,
    extents: Sequence[float],
    gap: float,
) -> None:
    """Move the places of one layer to where their links want them, as near as their order allows.

    With the room that the places before it need taken away from each centre, "in order, not too
    close" means "not falling", and least squares under that condition is pooling of neighbours.
    """
    room, needed = 0.0, []
    for index, place in enumerate(layer):
        if index:
            room += (extents[layer[index - 1]] + extents[place]) / 2 + gap
        needed.append(room)
    wanted = [_wish(place, centres, linked[place]) for place in layer]
    levels = not_falling(
        [(wish - room, weight) for (wish, weight), room in zip(wanted, needed, strict=True)]
    )
    for place, level, room in zip(layer, levels, needed, strict=True):
        centres[place] = level + room


def _wish(
    place: int, centres: Sequence[float], linked: Sequence[tuple[int, float]]
) -> tuple[float, float]:
    """Where a place wants to be, and how much; one without links hardly cares."""
    weight = sum(weight for _other, weight in linked)
    if not weight:
        return centres[place], 0.01
    return sum(centres[other] * weight for other, weight in linked) / weight, weight


def not_falling(wishes: Sequence[tuple[float, float]]) -> list[float]:
    """The values that never fall and are nearest to the weighted ``wishes`` in least squares."""
    pools: list[tuple[float, float, int]] = []  # level, weight, how many
    for wish, weight in wishes:
        pool = wish, weight, 1
        while pools and pools[-1][0] >= pool[0]:
            pool = _merged(pools.pop(), pool)
        pools.append(pool)
    return [level for level, _weight, count in pools for _ in range(count)]


def _merged(
    left: tuple[float, float, int], right: tuple[float, float, int]
) -> tuple[float, float, int]:
    weight = left[1] + right[1]
    return (left[0] * left[1] + right[0] * right[1]) / weight, weight, left[2] + right[2]
