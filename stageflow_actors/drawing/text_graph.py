"""A diagram drawn with characters, to the right or down."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stageflow_actors.drawing.canvas import Canvas, Cell
from stageflow_actors.drawing.diagram import Diagram, Node
from stageflow_actors.drawing.grid import Grid, grid_of
from stageflow_actors.drawing.labels import cells, short
from stageflow_actors.drawing.layers import Layered
from stageflow_actors.drawing.nets import Wire
from stageflow_actors.drawing.ordering import Order

_SPACE_BETWEEN_COLUMNS = 3


def draw_to_the_right(diagram: Diagram, layered: Layered, order: Order) -> Canvas | None:
    """One row for most stages; ``None`` where lines could not be told apart."""
    heights = [1] * layered.place_count
    grid = grid_of(layered, order, heights, gap=1, pitch=1)
    return None if grid is None else _ToTheRight(diagram, layered, order, grid).canvas


def draw_down(diagram: Diagram, layered: Layered, order: Order) -> Canvas | None:
    """One column for most stages; ``None`` where lines could not be told apart."""
    widths = [1] * layered.place_count
    for place, node in enumerate(diagram.nodes):
        widths[place] = cells(caption(node))
    for link in layered.links:
        if link.label:  # on either side of its line
            widths[link.end] = max(widths[link.end], 2 * cells(short(link.label)) + 5)
    grid = grid_of(layered, order, widths, gap=_SPACE_BETWEEN_COLUMNS, pitch=2)
    return None if grid is None else _Down(diagram, layered, order, grid).canvas


def caption(node: Node) -> str:
    """The name in a drawing: ``<router>``, ``(may be skipped)``, ``*critical 1.2 s``."""
    name = short(node.name)
    if node.is_router:
        name = f"<{name}>"
    elif node.is_optional:
        name = f"({name})"
    if node.fate is None:
        return name
    return f"{'*' if node.fate.is_critical else ''}{name} {short(node.fate.told)}"


class _Drawing:
    """What both directions share. ``along`` counts with the flow, ``across`` beside it."""

    arrow: str
    track_pitch: int

    def __init__(self, diagram: Diagram, layered: Layered, order: Order, grid: Grid) -> None:
        self.canvas = Canvas()
        self._diagram = diagram
        self._layered = layered
        self._order = order
        self._grid = grid
        self._next_net = 0
        self._starts: list[int] = []  # of each layer, along the flow
        self._ends: list[int] = []  # the first position behind each layer
        self._measure()
        for depth, wires in enumerate(grid.wires):
            for wire in wires:
                self._draw_wire(wire, depth)
        for depth, layer in enumerate(order):
            for place in layer:
                if not layered.is_bend(place):
                    self._draw_stage(place, depth)

    def _measure(self) -> None:
        start = 0
        for depth, layer in enumerate(self._order):
            self._starts.append(start)
            self._ends.append(start + self._thickness(layer))
            if depth < len(self._grid.wires):
                start = self._ends[-1] + self._gap_size(self._grid.wires[depth])

    def _draw_wire(self, wire: Wire, depth: int) -> None:
        net = self._new_net()
        track = None
        if wire.track is not None:
            track = self._ends[depth] + 1 + self.track_pitch * wire.track
            low, high = wire.span
            self._line(net, (track, low), (track, high), wire)
        first = track
        for source, across in zip(wire.net.sources, wire.leaves, strict=True):
            start = self._leaves_at(source, depth)
            if track is not None:
                self._line(net, (start, across), (track, across), wire)
            first = start if first is None else first
        assert first is not None, "every wire has a source"
        for (target, label), across in zip(wire.net.targets, wire.enters, strict=True):
            end = self._enters_at(target, depth + 1)
            self._line(net, (first, across), (end, across), wire)
            if not self._layered.is_bend(target):
                self._word((end, across), self.arrow)
            if label:
                ports = self._grid.ports(target, self._grid.enters[target])
                self._draw_label(label, end, across, ports)

    def _new_net(self) -> int:
        self._next_net += 1
        return self._next_net

    def _line(self, net: int, start: Cell, end: Cell, wire: Wire) -> None:
        self.canvas.line(net, self._turn(start), self._turn(end), is_dashed=wire.net.is_dashed)

    def _word(self, at: Cell, text: str) -> None:
        self.canvas.word(self._turn(at), text)

    def _turn(self, at: Cell) -> Cell:
        raise NotImplementedError

    def _thickness(self, layer: Sequence[int]) -> int:
        raise NotImplementedError

    def _gap_size(self, wires: Sequence[Wire]) -> int:
        raise NotImplementedError

    def _leaves_at(self, place: int, depth: int) -> int:
        raise NotImplementedError

    def _enters_at(self, place: int, depth: int) -> int:
        raise NotImplementedError

    def _draw_stage(self, place: int, depth: int) -> None:
        raise NotImplementedError

    def _draw_label(self, label: str, end: int, across: int, ports: Sequence[int]) -> None:
        """Beside the line that ends at ``across``, one of the ``ports`` of its target."""
        raise NotImplementedError


class _ToTheRight(_Drawing):
    """A stage with several wires on one side has a bar there that collects them."""

    arrow = "▶"
    track_pitch = 2

    def _turn(self, at: Cell) -> Cell:
        return at[1], at[0]

    def _thickness(self, layer: Sequence[int]) -> int:
        return max(
            cells(caption(self._diagram.nodes[place])) + 2 + self._has_bar(place, self._grid.leaves)
            for place in layer
            if not self._layered.is_bend(place)
        ) + self._bars(layer)

    def _bars(self, layer: Sequence[int]) -> int:
        return max(self._has_bar(place, self._grid.enters) for place in layer)

    def _has_bar(self, place: int, counts: Sequence[int]) -> int:
        return int(counts[place] > 1)

    def _gap_size(self, wires: Sequence[Wire]) -> int:
        tracks = max((wire.track + 1 for wire in wires if wire.track is not None), default=0)
        labels = max((cells(short(label)) + 3 for label in _labels(wires)), default=0)
        return max(3, 1 + self.track_pitch * tracks + labels + 1)

    def _leaves_at(self, place: int, depth: int) -> int:
        if self._layered.is_bend(place):
            return self._ends[depth] - 1
        width = cells(caption(self._diagram.nodes[place]))
        return (
            self._starts[depth]
            + self._bars(self._order[depth])
            + width
            + 1
            + self._has_bar(place, self._grid.leaves)
        )

    def _enters_at(self, place: int, depth: int) -> int:
        if self._layered.is_bend(place):
            return self._ends[depth]
        bars = self._bars(self._order[depth])
        return self._starts[depth] - 1 + bars - self._has_bar(place, self._grid.enters)

    def _draw_stage(self, place: int, depth: int) -> None:
        row = self._grid.centres[place]
        start = self._starts[depth] + self._bars(self._order[depth])
        if self._has_bar(place, self._grid.enters):
            self._draw_bar(place, self._grid.enters, start - 1, outside=-1)
        if self._has_bar(place, self._grid.leaves):
            self._draw_bar(place, self._grid.leaves, self._leaves_at(place, depth), outside=1)
        self._word((start, row), f" {caption(self._diagram.nodes[place])} ")

    def _draw_bar(self, place: int, counts: Sequence[int], column: int, outside: int) -> None:
        """Across all ports of one side, with an arm to each of them and one to the name."""
        net = self._new_net()
        rows = self._grid.ports(place, counts[place])
        self.canvas.line(net, (rows[0], column), (rows[-1], column), is_dashed=False)
        for row in rows:
            self.canvas.line(net, (row, column), (row, column + outside), is_dashed=False)
        row = self._grid.centres[place]
        self.canvas.line(net, (row, column - outside), (row, column), is_dashed=False)

    def _draw_label(self, label: str, end: int, across: int, ports: Sequence[int]) -> None:
        text = f" {short(label)} "
        self._word((end - 1 - cells(text), across), text)


class _Down(_Drawing):
    arrow = "▼"
    track_pitch = 1

    def _turn(self, at: Cell) -> Cell:
        return at

    def _thickness(self, layer: Sequence[int]) -> int:
        return 1

    def _gap_size(self, wires: Sequence[Wire]) -> int:
        tracks = max((wire.track + 1 for wire in wires if wire.track is not None), default=0)
        labels = any(_labels(wires))
        return 1 + (1 + tracks + labels if tracks or labels else 0)

    def _leaves_at(self, place: int, depth: int) -> int:
        return self._starts[depth]

    def _enters_at(self, place: int, depth: int) -> int:
        return self._ends[depth] if self._layered.is_bend(place) else self._starts[depth] - 1

    def _draw_stage(self, place: int, depth: int) -> None:
        name = caption(self._diagram.nodes[place])
        centre, most = (
            self._grid.centres[place],
            max(self._grid.enters[place], self._grid.leaves[place]),
        )
        ports = self._grid.ports(place, max(1, most))
        left = min(centre - cells(name) // 2, ports[0])
        name = _widened(name, centre - left, ports[-1] - centre)
        self._word((self._starts[depth], left), name)

    def _draw_label(self, label: str, end: int, across: int, ports: Sequence[int]) -> None:
        text = short(label)
        if across == ports[-1]:
            start = across + 2
        elif across == ports[0]:
            start = across - 1 - cells(text)
        else:
            start = across - cells(text) // 2
        self._word((end - 1, start), text)


def _labels(wires: Sequence[Wire]) -> Iterator[str]:
    return (label for wire in wires for _target, label in wire.net.targets if label)


def _widened(name: str, left: int, right: int) -> str:
    """The name with a line on both sides, as long as needed to reach that far from its middle."""
    before = left - cells(name) // 2
    behind = right - (cells(name) - 1 - cells(name) // 2)
    return "─" * before + name + "─" * max(0, behind)
