"""Which edges of a graph say nothing about order that a longer path does not say."""

from __future__ import annotations

from collections.abc import Sequence

Pair = tuple[int, int]
"""Source and target of an edge."""


def implied_pairs(edges: Sequence[Pair], count: int) -> frozenset[Pair]:
    """Those ``edges`` whose ends a path of two or more edges joins, too.

    The ``count`` nodes are numbered in topological order: each edge leads from a lower to a higher
    number.
    """
    successors: list[list[int]] = [[] for _ in range(count)]
    for source, target in edges:
        successors[source].append(target)
    reached = [0] * count  # bit t of entry s: a path from s to t
    beyond = [0] * count  # ... of two or more edges
    for source in reversed(range(count)):
        for target in successors[source]:
            reached[source] |= 1 << target
            beyond[source] |= reached[target]
        reached[source] |= beyond[source]
    return frozenset(pair for pair in edges if beyond[pair[0]] >> pair[1] & 1)
