"""``Layered``: the stages of a diagram in layers, long edges cut so that each link spans one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from stageflow_actors.drawing.diagram import Diagram, Edge, EdgeKind


@dataclass(frozen=True, slots=True)
class Link:
    """A piece of one or several edges, from a place in one layer to a place in the next one.

    ``label`` is set where the piece ends at a stage and its edge has one.
    """

    start: int
    end: int
    kind: EdgeKind
    label: str = ""


@dataclass(frozen=True, slots=True)
class Layered:
    """Places are numbered: first the stages, as in ``Diagram.nodes``, then the bends of long edges.

    ``layers`` has the places of each layer, ``paths`` the places that each edge passes from its
    source to its target. Edges of one kind from one stage share their bends.
    """

    stage_count: int
    layers: tuple[tuple[int, ...], ...]
    links: tuple[Link, ...]
    paths: tuple[tuple[int, ...], ...]

    @property
    def place_count(self) -> int:
        """How many places there are."""
        return sum(map(len, self.layers))

    def is_bend(self, place: int) -> bool:
        """Whether no stage is at ``place``."""
        return place >= self.stage_count


def into_layers(diagram: Diagram) -> Layered:
    """Each stage one layer below the lowest of those it waits for."""
    depths = stage_depths(len(diagram.nodes), diagram.edges)
    layers: list[list[int]] = [[] for _ in range(max(depths, default=-1) + 1)]
    for place, depth in enumerate(depths):
        layers[depth].append(place)
    bends = _Bends(layers, len(depths))
    paths, links = [], []
    for edge in diagram.edges:
        between = range(depths[edge.source] + 1, depths[edge.target])
        path = (edge.source, *(bends.at(edge, depth) for depth in between), edge.target)
        paths.append(path)
        links += [Link(*pair, edge.kind) for pair in pairwise(path[:-1])]
        links.append(Link(path[-2], path[-1], edge.kind, edge.label))
    unique = tuple(dict.fromkeys(links))
    return Layered(len(depths), tuple(map(tuple, layers)), unique, tuple(paths))


def stage_depths(count: int, edges: Sequence[Edge]) -> list[int]:
    """The number of edges on the longest path to each stage; stages are in topological order."""
    depths = [0] * count
    for edge in sorted(edges, key=lambda edge: edge.target):
        depths[edge.target] = max(depths[edge.target], depths[edge.source] + 1)
    return depths


class _Bends:
    """Makes the bends of long edges: one for each source, kind of edge and layer."""

    def __init__(self, layers: list[list[int]], first: int) -> None:
        self._layers = layers
        self._next = first
        self._known: dict[tuple[int, EdgeKind, int], int] = {}

    def at(self, edge: Edge, depth: int) -> int:
        key = edge.source, edge.kind, depth
        if key not in self._known:
            self._known[key] = self._next
            self._layers[depth].append(self._next)
            self._next += 1
        return self._known[key]
