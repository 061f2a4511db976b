"""Pieces of time that may overlap, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush


def lanes_of(times: Sequence[tuple[float, float]]) -> list[int]:
    """For each ``(start, end)`` the number of a lane, from 0 on; on a lane nothing overlaps."""
    lanes = [0] * len(times)
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    for index in sorted(range(len(times)), key=lambda n: times[n]):
        start, end = times[index]
        while busy and busy[0][0] <= start:
            heappush(free, heappop(busy)[1])
        lane = heappop(free) if free else len(busy)
        lanes[index] = lane
        heappush(busy, (end, lane))
    return lanes
