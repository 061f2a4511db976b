"""A diagram as SVG: one file, no script, no font, no link; legible on light and dark pages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape

from stageflow_actors.drawing.diagram import Diagram, EdgeKind, Node
from stageflow_actors.drawing.labels import cells, short, shown
from stageflow_actors.drawing.run_looks import (
    CRITICAL_ARROW,
    RUN_STYLE,
    class_of,
    legend_width,
    run_legend,
)
from stageflow_actors.drawing.scene import (
    MARGIN,
    SMALL_CELL,
    Box,
    Curve,
    Direction,
    Scene,
    scene_of,
)
from stageflow_actors.drawing.svg_style import ARROWS, STYLE, color_class
from stageflow_actors.story.parts import Outcome

_LEGEND_HEIGHT = 26.0
_NOT_XML = "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
_POINT_OF_LABEL_RIGHT = 0.55
_POINT_OF_LABEL_DOWN = 0.75
"""How far along its last curve a label stands; far enough down, labels side by side are apart."""


def to_svg(diagram: Diagram, direction: Direction = Direction.AUTO) -> str:
    """The picture as an SVG document."""
    scene = scene_of(diagram, direction)
    notes = [*_legend(diagram), *diagram.footnotes()]
    if diagram.is_of_run:
        notes = ["", *notes]  # where the swatches are
    width = max([scene.width, *(2 * MARGIN + cells(note) * SMALL_CELL for note in notes)])
    width = max(width, 2 * MARGIN + legend_width(*_run_marks(diagram)))
    height = scene.height + (MARGIN / 2 + _LEGEND_HEIGHT * 0.7 * len(notes) if notes else 0)
    return "\n".join([*_markup(diagram, scene, notes, width, height), ""])


def xml_text(text: str) -> str:
    """``text`` as it may stand in an XML document, in quotes too."""
    seen = re.sub(_NOT_XML, "\N{REPLACEMENT CHARACTER}", text)
    return escape(seen, quote=False).replace('"', "&quot;")  # ' needs none, in double quotes


def _markup(
    diagram: Diagram, scene: Scene, notes: Sequence[str], width: float, height: float
) -> Iterator[str]:
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    yield f"<title>{xml_text(shown(diagram.title))}</title>"
    yield f"<desc>{xml_text(_in_words(diagram))}</desc>"
    yield STYLE
    yield ARROWS
    if diagram.is_of_run:
        yield RUN_STYLE
        yield CRITICAL_ARROW
    yield f'<rect class="page" width="{width:.0f}" height="{height:.0f}" rx="10"/>'
    above = sorted(scene.curves, key=lambda curve: curve.edge.is_critical)
    yield from (_line(curve, scene.direction) for curve in above)
    yield from map(_stage, scene.boxes)
    yield from (_label(curve, scene.direction) for curve in scene.curves if curve.edge.label)
    for number, note in enumerate(notes):
        y = scene.height + MARGIN / 2 + number * _LEGEND_HEIGHT * 0.7
        if note:
            yield f'<text class="note" x="{MARGIN:.1f}" y="{y:.1f}">{xml_text(note)}</text>'
        else:
            yield run_legend(*_run_marks(diagram), MARGIN, y)
    yield "</svg>"


def _in_words(diagram: Diagram) -> str:
    count = len(diagram.nodes)
    return f"Pipeline of {count} stages: {', '.join(shown(node.name) for node in diagram.nodes)}."


def _run_marks(diagram: Diagram) -> tuple[set[Outcome | None], bool]:
    """The outcomes in the picture, and whether there is a critical path in it."""
    fates = [node.fate for node in diagram.nodes if node.fate is not None]
    return {fate.outcome for fate in fates}, any(fate.is_critical for fate in fates)


def _class_of(node: Node) -> str:
    if node.fate is None:
        return color_class(node.kind)
    return f"ran {class_of(node.fate.outcome)}{' critical' if node.fate.is_critical else ''}"


def _stage(box: Box) -> str:
    name, full = short(box.node.name), shown(box.node.name)
    second = box.node.kind if box.node.fate is None else short(box.node.fate.told)
    optional = " optional" if box.node.is_optional else ""
    shape = _hexagon(box) if box.node.is_router else _rectangle(box)
    tip = f"<title>{xml_text(full)}</title>" if name != full else ""
    return (
        f'<g class="stage {_class_of(box.node)}{optional}">{tip}{shape}'
        f'<text class="name" x="{box.x:.1f}" y="{box.y - 2:.1f}">{xml_text(name)}</text>'
        f'<text class="kind" x="{box.x:.1f}" y="{box.y + 14:.1f}">{xml_text(second)}</text>'
        "</g>"
    )


def _rectangle(box: Box) -> str:
    left, top = box.x - box.width / 2, box.y - box.height / 2
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" '
        'rx="9"/>'
    )


def _hexagon(box: Box) -> str:
    half, up, cut = box.width / 2, box.height / 2, 12.0
    corners = [
        (-half, 0.0), (cut - half, -up), (half - cut, -up),
        (half, 0.0), (half - cut, up), (cut - half, up),
    ]  # fmt: skip
    points = " ".join(f"{box.x + x:.1f},{box.y + y:.1f}" for x, y in corners)
    return f'<polygon points="{points}"/>'


def _line(curve: Curve, direction: Direction) -> str:
    start, *rest = curve.points
    steps = [f"M{start[0]:.1f},{start[1]:.1f}"]
    for number, point in enumerate(rest):
        if number % 2:
            steps.append(f"L{point[0]:.1f},{point[1]:.1f}")
        else:
            steps.append(_bow(curve.points[number], point, direction))
    kind = tip = curve.edge.kind.value
    if curve.edge.is_critical:
        kind, tip = f"{kind} critical", "critical"
    return f'<path class="edge {kind}" d="{" ".join(steps)}" marker-end="url(#{tip}-end)"/>'


def _bow(start: tuple[float, float], end: tuple[float, float], direction: Direction) -> str:
    """A curve that leaves and arrives along the flow."""
    (x0, y0), (x1, y1) = start, end
    middle = ((x0 + x1) / 2, (y0 + y1) / 2)
    one, two = (
        ((middle[0], y0), (middle[0], y1))
        if direction is Direction.RIGHT
        else ((x0, middle[1]), (x1, middle[1]))
    )
    return f"C{one[0]:.1f},{one[1]:.1f} {two[0]:.1f},{two[1]:.1f} {x1:.1f},{y1:.1f}"


def _label(curve: Curve, direction: Direction) -> str:
    is_right = direction is Direction.RIGHT
    t = _POINT_OF_LABEL_RIGHT if is_right else _POINT_OF_LABEL_DOWN
    along, across = 1.5 * t - 1.5 * t**2 + t**3, 3 * t**2 - 2 * t**3
    (x0, y0), (x1, y1) = curve.points[-2:]
    share_x, share_y = (along, across) if is_right else (across, along)
    x, y = x0 + (x1 - x0) * share_x, y0 + (y1 - y0) * share_y + 4
    text = short(curve.edge.label)
    width = cells(text) * SMALL_CELL + 4
    return (
        f'<rect class="plate" x="{x - width / 2:.1f}" y="{y - 10:.1f}" width="{width:.1f}" '
        f'height="13" rx="3"/><text class="label {curve.edge.kind.value}" x="{x:.1f}" '
        f'y="{y:.1f}">{xml_text(text)}</text>'
    )


def _legend(diagram: Diagram) -> list[str]:
    """One line about what is not plain to see; none where there is only plain data."""
    kinds = {edge.kind for edge in diagram.edges}
    parts = []
    if EdgeKind.ORDER in kinds:
        parts.append("solid: data")
        parts.append("dashed: order only")
    if EdgeKind.ROUTE in kinds:
        parts.append("labelled: taken on that route")
    if any(node.is_optional for node in diagram.nodes):
        parts.append("dashed frame: may be skipped")
    return ["  \N{MIDDLE DOT}  ".join(parts)] if parts else []
