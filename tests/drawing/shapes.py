"""Diagrams and pipelines to draw, written briefly."""

from __future__ import annotations

from hypothesis import strategies as st

from stageflow_actors import Pipeline
from stageflow_actors.drawing.diagram import Diagram, Edge, EdgeKind, Node


async def body(ctx):
    return None


def pipeline_of(**waits_for):
    """``pipeline_of(a="", b="a", c="a b")``: every edge carries data."""
    pipeline = Pipeline("drawn")
    for name, dependencies in waits_for.items():
        pipeline = pipeline.with_stage(name, body, "work", tuple(dependencies.split()))
    return pipeline


def diagram(*edges, title="drawn"):
    """``diagram("a b", "a>c", "b~c", "c!d", "b:fast:c")``.

    A text without a sign lists stages; ``>`` is data, ``~`` order, ``:x:`` the route x.
    """
    names, drawn = [], []

    def number(name):
        if name not in names:
            names.append(name)
        return names.index(name)

    for edge in edges:
        if ">" in edge:
            source, target = map(number, edge.split(">"))
            drawn.append(Edge(source, target, EdgeKind.DATA))
        elif "~" in edge:
            source, target = map(number, edge.split("~"))
            drawn.append(Edge(source, target, EdgeKind.ORDER))
        elif ":" in edge:
            source, label, target = edge.split(":")
            drawn.append(Edge(number(source), number(target), EdgeKind.ROUTE, label))
        else:
            for name in edge.split():
                number(name)
    routers = {edge.source for edge in drawn if edge.kind is EdgeKind.ROUTE}
    optional = {edge.target for edge in drawn if edge.kind is EdgeKind.ROUTE}
    nodes = tuple(
        Node(name, "work", index in routers, index in optional) for index, name in enumerate(names)
    )
    return Diagram(title, nodes, tuple(drawn), {})


def edges_by_name(drawn):
    return {(drawn.nodes[e.source].name, drawn.nodes[e.target].name) for e in drawn.edges}


@st.composite
def diagrams(draw, max_stages=9, kinds=(EdgeKind.DATA, EdgeKind.ORDER)):
    """Any acyclic diagram, with data and order edges."""
    count = draw(st.integers(1, max_stages))
    pairs = [(source, target) for target in range(count) for source in range(target)]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    edges = tuple(
        Edge(source, target, draw(st.sampled_from(kinds)))
        for source, target in sorted(chosen, key=lambda pair: pair[1])
    )
    nodes = tuple(
        Node("n" * draw(st.integers(0, 6)) + f"s{number}", "work") for number in range(count)
    )
    return Diagram("any", nodes, edges, {})
