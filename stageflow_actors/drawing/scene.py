"""``Scene``: where everything in a drawing lies, in pixels, before it becomes markup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from stageflow_actors.drawing.diagram import Diagram, Edge, Node
from stageflow_actors.drawing.labels import cells, short
from stageflow_actors.drawing.layers import Layered, into_layers
from stageflow_actors.drawing.ordering import Order, order_layers
from stageflow_actors.drawing.placing import place_layers

CELL = 7.9
"""Width of a character of a name, which is set in a font of fixed width."""
SMALL_CELL = 6.1
MARGIN = 20.0
_NODE_HEIGHT = 46.0
_MIN_NODE_WIDTH = 92.0
_BESIDE_NAME = 30.0
_BEND_EXTENT = 8.0
_GAP = 20.0
_LAYER_GAP_RIGHT = 62.0
_LAYER_GAP_DOWN = 46.0
_LABEL_GAP_DOWN = 58.0
_BESIDE_LABEL = 64.0
_MOST_LAYERS_TO_THE_RIGHT = 6


class Direction(StrEnum):
    """Where a pipeline flows to. ``AUTO``: to the right, unless that gets too wide."""

    AUTO = "auto"
    RIGHT = "right"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Box:
    """A stage: its middle and its size."""

    node: Node
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Curve:
    """A line: from ``points[0]`` straight or in curves through the rest, an arrowhead at its end.

    Every second stretch is a curve: points 0 to 1, 2 to 3, ...; those between are straight.
    """

    edge: Edge
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything, with the size of the whole."""

    direction: Direction
    width: float
    height: float
    boxes: tuple[Box, ...]
    curves: tuple[Curve, ...]


def scene_of(diagram: Diagram, direction: Direction = Direction.AUTO) -> Scene:
    """Lay ``diagram`` out."""
    layered = into_layers(diagram)
    order = order_layers(layered)
    if direction is Direction.AUTO:
        is_deep = len(order) > _MOST_LAYERS_TO_THE_RIGHT
        direction = Direction.DOWN if is_deep else Direction.RIGHT
    return _Layout(diagram, layered, order, direction).scene()


class _Layout:
    """Thinks along the flow and across it; only the last step turns that into x and y."""

    def __init__(
        self, diagram: Diagram, layered: Layered, order: Order, direction: Direction
    ) -> None:
        self._diagram = diagram
        self._layered = layered
        self._direction = direction
        self._is_right = direction is Direction.RIGHT
        self._widths = [_width_of(node) for node in diagram.nodes]
        self._across = place_layers(layered, order, self._extents(), _GAP)
        self._depths = [0] * layered.place_count
        for depth, layer in enumerate(order):
            for place in layer:
                self._depths[place] = depth
        self._thickness = [self._thickness_of(layer) for layer in order]
        self._starts = self._layer_starts()

    def scene(self) -> Scene:
        boxes = tuple(self._box(place) for place in range(len(self._diagram.nodes)))
        curves = tuple(self._curves())
        points = [point for curve in curves for point in curve.points]
        points += [(box.x + box.width / 2, box.y + box.height / 2) for box in boxes]
        right, bottom = max(x for x, _y in points), max(y for _x, y in points)
        return Scene(self._direction, right + MARGIN, bottom + MARGIN, boxes, curves)

    def _extents(self) -> list[float]:
        """How much room each place takes across the flow."""
        extents = [_BEND_EXTENT] * self._layered.place_count
        for place, width in enumerate(self._widths):
            extents[place] = _NODE_HEIGHT if self._is_right else width
        if not self._is_right:
            for edge in self._diagram.edges:
                extents[edge.target] = max(extents[edge.target], _label_width(edge))
        return extents

    def _thickness_of(self, layer: Sequence[int]) -> float:
        """How much room a layer takes along the flow."""
        stages = [place for place in layer if not self._layered.is_bend(place)]
        if not self._is_right:
            return _NODE_HEIGHT
        return max(self._widths[place] for place in stages)

    def _layer_starts(self) -> list[float]:
        least = _LAYER_GAP_RIGHT if self._is_right else _LAYER_GAP_DOWN
        gaps = [least] * len(self._thickness)
        for edge in self._diagram.edges:
            if edge.label:
                before = self._depths[edge.target] - 1
                needed = _label_width(edge) + _BESIDE_LABEL if self._is_right else _LABEL_GAP_DOWN
                gaps[before] = max(gaps[before], needed)
        starts, start = [], MARGIN
        for thickness, gap in zip(self._thickness, gaps, strict=True):
            starts.append(start)
            start += thickness + gap
        return starts

    def _box(self, place: int) -> Box:
        depth = self._depths[place]
        along = self._starts[depth] + self._thickness[depth] / 2
        x, y = self._turn(along, self._across[place] + MARGIN)
        width = self._thickness[depth] if self._is_right else self._widths[place]
        return Box(self._diagram.nodes[place], x, y, width, _NODE_HEIGHT)

    def _curves(self) -> list[Curve]:
        """A piece that edges share is drawn once, with the first of them."""
        drawn: set[tuple[int, int]] = set()
        curves = []
        for edge, path in zip(self._diagram.edges, self._layered.paths, strict=True):
            links = list(pairwise(path))
            first = next(i for i, link in enumerate(links) if link not in drawn)
            drawn.update(links[:-1])
            curves.append(Curve(edge, tuple(self._points(links[first:]))))
        return curves

    def _points(self, links: Sequence[tuple[int, int]]) -> list[tuple[float, float]]:
        points = []
        for start, end in links:
            points += [self._leaving(start), self._entering(end)]
        return points

    def _leaving(self, place: int) -> tuple[float, float]:
        depth = self._depths[place]
        end = self._starts[depth] + self._thickness[depth]
        return self._turn(end, self._across[place] + MARGIN)

    def _entering(self, place: int) -> tuple[float, float]:
        return self._turn(self._starts[self._depths[place]], self._across[place] + MARGIN)

    def _turn(self, along: float, across: float) -> tuple[float, float]:
        return (along, across) if self._is_right else (across, along)


def _width_of(node: Node) -> float:
    told = 0.0 if node.fate is None else cells(short(node.fate.told)) * SMALL_CELL
    return max(_MIN_NODE_WIDTH, max(cells(short(node.name)) * CELL, told) + _BESIDE_NAME)


def _label_width(edge: Edge) -> float:
    return cells(short(edge.label)) * SMALL_CELL
