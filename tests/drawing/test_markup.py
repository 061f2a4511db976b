"""Mermaid and DOT."""

import re

import pytest

from stageflow_actors.drawing.diagram import ANY_END, Diagram, Edge, EdgeKind, Node
from stageflow_actors.drawing.dot import to_dot
from stageflow_actors.drawing.mermaid import to_mermaid
from stageflow_actors.drawing.scene import Direction
from tests.drawing.shapes import diagram

HOSTILE = 'a"]\n--> b;<b>#`\\"'


def test_mermaid_tells_edges_apart():
    nodes = tuple(Node(name, "work") for name in "abcde")
    edges = (
        Edge(0, 1, EdgeKind.DATA),
        Edge(1, 2, EdgeKind.ORDER),
        Edge(2, 3, EdgeKind.ROUTE, "x | y"),
        Edge(3, 4, EdgeKind.ORDER, ANY_END),
    )
    lines = [line.strip() for line in to_mermaid(Diagram("p", nodes, edges, {})).splitlines()]
    assert lines == [
        "---",
        'title: "p"',
        "---",
        "flowchart LR",
        *(f's{number}["{name}"]' for number, name in enumerate("abcde")),
        "s0 --> s1",
        "s1 -.-> s2",
        's2 -- "x | y" --> s3',
        's3 -. "any end" .-> s4',
    ]


def test_mermaid_marks_routers_and_optional_stages():
    text = to_mermaid(diagram("r:x:a"), Direction.DOWN)
    assert "flowchart TD" in text
    assert 's0{{"r"}}' in text
    assert "class s1 optional" in text


def test_mermaid_text_cannot_end_its_label():
    nodes = (Node(HOSTILE, "work"), Node("b", "work"))
    text = to_mermaid(Diagram(HOSTILE, nodes, (Edge(0, 1, EdgeKind.ROUTE, HOSTILE),), {}))
    body = text.split("---\n")[2]
    for line in body.splitlines()[1:4]:
        assert line.count('"') in (0, 2)
    label = re.search(r's0\["(.*)"\]', body)[1]
    assert not set('"<>`\\') & set(label)
    assert len(body.splitlines()) == 4


def test_dot_tells_edges_apart():
    text = to_dot(diagram("a>b", "b~c", "c:x:d"))
    assert "s0 -> s1;" in text
    assert "s1 -> s2 [style=dashed];" in text
    assert 's2 -> s3 [label="x"];' in text
    assert "s2 [" in text
    assert "shape=hexagon" in text


def test_dot_text_cannot_end_its_string():
    nodes = (Node(HOSTILE, "work"),)
    text = to_dot(Diagram(HOSTILE, nodes, (), {}))
    strings = re.findall(r'"(?:[^"\\]|\\.)*"', text)
    outside = re.sub(r'"(?:[^"\\]|\\.)*"', "", text)
    assert '"' not in outside
    assert "-->" not in outside
    assert len(strings) == 4


@pytest.mark.parametrize("write", [to_mermaid, to_dot])
def test_what_is_left_out_is_said(write):
    drawn = Diagram("p", (Node("a", "work"),), (), {EdgeKind.DATA: 3})
    assert "3 data edges are not drawn" in write(drawn)
