"""A diagram for a terminal: drawn if it fits the width, else as a list."""

from __future__ import annotations

from collections.abc import Callable

from stageflow_actors.drawing.canvas import Canvas, plain
from stageflow_actors.drawing.diagram import Diagram, EdgeKind
from stageflow_actors.drawing.labels import cells, shown
from stageflow_actors.drawing.layers import Layered, into_layers
from stageflow_actors.drawing.ordering import Order, order_layers
from stageflow_actors.drawing.scene import Direction
from stageflow_actors.drawing.text_graph import draw_down, draw_to_the_right
from stageflow_actors.drawing.text_list import as_list

DEFAULT_WIDTH = 100
_MOST_STAGES_DRAWN = 60
_MOST_ROWS = 48

Draw = Callable[[Diagram, Layered, Order], Canvas | None]


def to_text(
    diagram: Diagram,
    direction: Direction = Direction.AUTO,
    *,
    width: int = DEFAULT_WIDTH,
    is_plain: bool = False,
) -> str:
    """The picture, at most ``width`` columns wide; with ``is_plain`` in ASCII.

    ``AUTO`` draws to the right, or down in at most 48 rows, or lists the stages: the first of these
    that fits. The list is also what comes of more than 60 stages, of a direction that does not fit,
    and of lines that could not be told apart.
    """
    heading = f"{shown(diagram.title)}: {_count(len(diagram.nodes), 'stage')}"
    drawn = _drawing(diagram, direction, width)
    body = as_list(diagram) if drawn is None else drawn
    notes = [*([] if drawn is None else _legend(diagram)), *diagram.footnotes()]
    lines = [heading, "", *body, *([""] if notes else []), *notes]
    return "\n".join([*(map(plain, lines) if is_plain else lines), ""])


def _drawing(diagram: Diagram, direction: Direction, width: int) -> list[str] | None:
    if len(diagram.nodes) > _MOST_STAGES_DRAWN or not diagram.edges:
        return None
    layered = into_layers(diagram)
    order = order_layers(layered)
    for draw in _choices(direction):
        canvas = draw(diagram, layered, order)
        rows = [] if canvas is None else canvas.rows()
        is_short = len(rows) <= _MOST_ROWS or direction is not Direction.AUTO
        if rows and is_short and max(map(cells, rows)) <= width:
            return rows
    return None


def _choices(direction: Direction) -> tuple[Draw, ...]:
    if direction is Direction.RIGHT:
        return (draw_to_the_right,)
    if direction is Direction.DOWN:
        return (draw_down,)
    return draw_to_the_right, draw_down


def _legend(diagram: Diagram) -> list[str]:
    kinds = {edge.kind for edge in diagram.edges}
    parts = []
    if EdgeKind.ORDER in kinds:
        parts.append("──▶ data, ╌╌▶ order only")
    if EdgeKind.ROUTE in kinds:
        parts.append("<name> decides which of the labelled lines is taken")
    if any(node.is_optional for node in diagram.nodes):
        parts.append("(name) may be skipped")
    if any(node.fate is not None and node.fate.is_critical for node in diagram.nodes):
        return [*(["; ".join(parts)] if parts else []), "* on the critical path"]
    return ["; ".join(parts)] if parts else []


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
