"""A diagram in the DOT language of Graphviz."""

from __future__ import annotations

from collections.abc import Iterator

from stageflow_actors.drawing.diagram import Diagram, Edge, EdgeKind, Node
from stageflow_actors.drawing.labels import short, shown
from stageflow_actors.drawing.run_looks import COLORS
from stageflow_actors.drawing.scene import Direction


def to_dot(diagram: Diagram, direction: Direction = Direction.AUTO) -> str:
    """The picture as DOT text; ``AUTO`` is to the right."""
    return "\n".join([*_lines(diagram, direction), ""])


def _lines(diagram: Diagram, direction: Direction) -> Iterator[str]:
    yield f"digraph {_quoted(shown(diagram.title))} {{"
    yield f"    rankdir={'TB' if direction is Direction.DOWN else 'LR'};"
    yield '    node [shape=box, style="rounded", fontname="monospace"];'
    for number, node in enumerate(diagram.nodes):
        yield f"    s{number} [{', '.join(_looks_of_node(node))}];"
    for edge in diagram.edges:
        yield f"    s{edge.source} -> s{edge.target}{_looks_of_edge(edge)};"
    for note in diagram.footnotes():
        yield f"    // {note}"
    yield "}"


def _looks_of_node(node: Node) -> Iterator[str]:
    told = "" if node.fate is None else f"\n{short(node.fate.told)}"
    yield f"label={_quoted(short(node.name) + told)}"
    if node.is_router:
        yield "shape=hexagon"
    styles = ["rounded"]
    if node.is_optional:
        styles.append("dashed")
    if node.fate is not None:
        styles.append("filled")
        fill, line = COLORS[node.fate.outcome]
        yield f'color="{line}"'
        yield f'fillcolor="{fill}"'
        if node.fate.is_critical:
            yield "penwidth=2.5"
    if len(styles) > 1:
        yield f'style="{",".join(styles)}"'


def _looks_of_edge(edge: Edge) -> str:
    looks = [f"label={_quoted(short(edge.label))}"] if edge.label else []
    if edge.kind is EdgeKind.ORDER:
        looks.append("style=dashed")
    if edge.is_critical:
        looks.append("penwidth=2.5")
    return f" [{', '.join(looks)}]" if looks else ""


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
