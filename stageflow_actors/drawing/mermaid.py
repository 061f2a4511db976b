"""A diagram as a Mermaid flowchart, for Markdown pages that draw it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from stageflow_actors.drawing.diagram import Diagram, Edge, EdgeKind, Node
from stageflow_actors.drawing.labels import short, shown
from stageflow_actors.drawing.run_looks import COLORS, class_of
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
    yield from _looks_of_run(diagram)
    for note in diagram.footnotes():
        yield f"    %% {note}"


def _shape(node: Node) -> str:
    text = _quoted(node.name, "" if node.fate is None else node.fate.told)
    return f"{{{{{text}}}}}" if node.is_router else f"[{text}]"


def _arrow(edge: Edge) -> str:
    if edge.kind is EdgeKind.ORDER:
        return f"-. {_quoted(edge.label)} .->" if edge.label else "-.->"
    return f"-- {_quoted(edge.label)} -->" if edge.label else "-->"


def _looks_of_run(diagram: Diagram) -> Iterator[str]:
    """A class for each outcome, thick lines for the critical path."""
    stages: dict[str, list[str]] = {}
    for number, node in enumerate(diagram.nodes):
        if node.fate is not None:
            stages.setdefault(class_of(node.fate.outcome), []).append(f"s{number}")
            if node.fate.is_critical:
                stages.setdefault("critical", []).append(f"s{number}")
    for outcome, (fill, line) in COLORS.items():
        name = class_of(outcome)
        if name in stages:
            yield f"    classDef {name} fill:{fill},stroke:{line},color:#16202c"
            yield f"    class {','.join(stages[name])} {name}"
    if "critical" in stages:
        yield "    classDef critical stroke-width:3px"
        yield f"    class {','.join(stages['critical'])} critical"
    critical = [str(number) for number, edge in enumerate(diagram.edges) if edge.is_critical]
    if critical:
        yield f"    linkStyle {','.join(critical)} stroke-width:3px"


def _quoted(*lines: str) -> str:
    entities = str.maketrans({char: f"#{ord(char)};" for char in _SPECIAL})
    return '"' + "<br/>".join(short(line).translate(entities) for line in lines if line) + '"'
