"""A diagram as a list: a line for each stage, with what it waits for."""

from __future__ import annotations

from collections.abc import Iterator

from stageflow_actors.drawing.diagram import ANY_END, Diagram, Edge, EdgeKind
from stageflow_actors.drawing.labels import cells, padded, short
from stageflow_actors.drawing.layers import stage_depths


def as_list(diagram: Diagram) -> list[str]:
    """Stages by the step at which they can start, the steps numbered from 1."""
    depths = stage_depths(len(diagram.nodes), diagram.edges)
    names = [short(node.name) for node in diagram.nodes]
    name_width = max(map(cells, names), default=0)
    kind_width = max((len(node.kind) for node in diagram.nodes), default=0)
    lines, last = [], -1
    for place in sorted(range(len(depths)), key=lambda place: (depths[place], place)):
        step = f"{depths[place] + 1:>3}" if depths[place] != last else "   "
        last = depths[place]
        reasons = "; ".join(_reasons(diagram, place, names))
        row = f"{step}  {padded(names[place], name_width)}  "
        lines.append(f"{row}{padded(diagram.nodes[place].kind, kind_width)}  {reasons}".rstrip())
    return lines


def _reasons(diagram: Diagram, place: int, names: list[str]) -> Iterator[str]:
    """Why the stage waits, one phrase for each kind of edge."""
    edges = [edge for edge in diagram.edges if edge.target == place]
    reads = [edge for edge in edges if edge.kind is EdgeKind.DATA]
    ordered = [edge for edge in edges if edge.kind is EdgeKind.ORDER]
    if reads:
        yield f"reads {_listed(reads, names)}"
    for edge in edges:
        if edge.kind is EdgeKind.ROUTE:
            yield f"on {short(edge.label)} of {names[edge.source]}"
    for phrase, is_any in (("after", False), ("after any end of", True)):
        these = [edge for edge in ordered if (edge.label == ANY_END) == is_any]
        if these:
            yield f"{phrase} {_listed(these, names)}"
    node = diagram.nodes[place]
    if node.is_optional:
        yield "may be skipped"
    if node.fate is not None:
        yield f"{short(node.fate.told)}{', critical' if node.fate.is_critical else ''}"


def _listed(edges: list[Edge], names: list[str]) -> str:
    return ", ".join(names[edge.source] for edge in edges)
