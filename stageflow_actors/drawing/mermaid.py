"""A diagram as a Mermaid flowchart, for Markdown pages that draw it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from stageflow_actors.drawing.diagram import Diagram, Edge, EdgeKind, Node
from stageflow_actors.drawing.labels import short, shown
from stageflow_actors.drawing.scene import Direction

_SPECIAL = '"#&<>`\\'
"""What means something to Mermaid, or to the page around it."""


def to_mermaid(diagram: Diagram, direction: Direction = Direction.AUTO) -> str:
    """The picture as Mermaid text; ``AUTO`` is to the right."""
    return "\n".join([*_lines(diagram, direction), ""])


def _lines(diagram: Diagram, direction: Direction) -> Iterator[str]:
    yield from ("---", f"title: {json.dumps(shown(diagram.title))}", "---")
    yield f"flowchart {'TD' if direction is Direction.DOWN else 'LR'}"
    for number, node in enumerate(diagram.nodes):
        yield f"    s{number}{_shape(node)}"
    for edge in diagram.edges:
        yield f"    s{edge.source} {_arrow(edge)} s{edge.target}"
    optional = [f"s{number}" for number, node in enumerate(diagram.nodes) if node.is_optional]
    if optional:
        yield "    classDef optional stroke-dasharray: 5 3"
        yield f"    class {','.join(optional)} optional"
    for note in diagram.footnotes():
        yield f"    %% {note}"


def _shape(node: Node) -> str:
    text = _quoted(node.name)
    return f"{{{{{text}}}}}" if node.is_router else f"[{text}]"


def _arrow(edge: Edge) -> str:
    if edge.kind is EdgeKind.ORDER:
        return f"-. {_quoted(edge.label)} .->" if edge.label else "-.->"
    return f"-- {_quoted(edge.label)} -->" if edge.label else "-->"


def _quoted(text: str) -> str:
    entities = str.maketrans({char: f"#{ord(char)};" for char in _SPECIAL})
    return f'"{short(text).translate(entities)}"'
