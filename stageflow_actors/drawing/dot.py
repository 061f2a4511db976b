"""A diagram in the DOT language of Graphviz."""

from __future__ import annotations

from collections.abc import Iterator

from stageflow_actors.drawing.diagram import Diagram, Edge, EdgeKind, Node
from stageflow_actors.drawing.labels import short, shown
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
    yield f"label={_quoted(short(node.name))}"
    if node.is_router:
        yield "shape=hexagon"
    if node.is_optional:
        yield 'style="rounded,dashed"'


def _looks_of_edge(edge: Edge) -> str:
    looks = [f"label={_quoted(short(edge.label))}"] if edge.label else []
    if edge.kind is EdgeKind.ORDER:
        looks.append("style=dashed")
    return f" [{', '.join(looks)}]" if looks else ""


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
