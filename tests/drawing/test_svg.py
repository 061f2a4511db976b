import re
from itertools import combinations
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stageflow_actors.drawing.diagram import Diagram, Edge, EdgeKind, Node
from stageflow_actors.drawing.scene import Direction, scene_of
from stageflow_actors.drawing.svg import to_svg
from tests.drawing.shapes import diagram, diagrams

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "</text><script>alert('x')</script>&amp;\"]]>\x00\x1b\ud800"
DIRECTIONS = [Direction.RIGHT, Direction.DOWN]


def parsed(drawn, direction=Direction.AUTO):
    return ET.fromstring(to_svg(drawn, direction))


def texts(root, class_):
    found = root.iter(f"{SVG}text")
    return [each.text for each in found if class_ in each.get("class").split()]


def paths(root):
    return [each for each in root.iter(f"{SVG}path") if "edge" in each.get("class").split()]


# --- what is in it --------------------------------------------------------------------------------


def test_every_stage_and_every_edge_is_in_it():
    root = parsed(diagram("a>b", "a>c", "b>d", "c>d"))
    assert texts(root, "name") == ["a", "b", "c", "d"]
    assert len(paths(root)) == 4


def test_kinds_of_edges_look_apart():
    root = parsed(diagram("a>b", "b~c", "c:fast:d"))
    assert [path.get("class") for path in paths(root)] == ["edge data", "edge order", "edge route"]
    assert [path.get("marker-end") for path in paths(root)] == [
        "url(#data-end)",
        "url(#order-end)",
        "url(#route-end)",
    ]
    assert texts(root, "label") == ["fast"]
    style = root.find(f"{SVG}style").text
    assert "stroke-dasharray" in re.search(r"\.edge\.order \{([^}]*)\}", style)[1]
    assert "stroke-dasharray" not in re.search(r"\.edge \{([^}]*)\}", style)[1]


def test_router_and_optional_stages_look_apart():
    root = parsed(diagram("r:fast:a", "a>b"))
    stages = [each for each in root.iter(f"{SVG}g") if "stage" in each.get("class")]
    assert [len(each.findall(f"{SVG}polygon")) for each in stages] == [1, 0, 0]
    assert ["optional" in each.get("class") for each in stages] == [False, True, False]


def test_what_is_left_out_is_said():
    drawn = Diagram("p", (Node("a", "work"),), (), {EdgeKind.ORDER: 2})
    assert "2 order edges are not drawn: a longer path says the same." in texts(
        parsed(drawn), "note"
    )


# --- safe and alone -------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_hostile_text_stays_text(direction):
    nodes = (Node(HOSTILE, HOSTILE, True), Node("b", "work"))
    drawn = Diagram(HOSTILE, nodes, (Edge(0, 1, EdgeKind.ROUTE, HOSTILE),), {})
    root = parsed(drawn, direction)
    assert {each.tag.removeprefix(SVG) for each in root.iter()} <= {
        *("svg", "title", "desc", "style", "defs", "marker", "path", "rect", "g", "polygon", "text")
    }
    assert any("<script>" in name for name in texts(root, "name"))


@settings(max_examples=60)
@given(st.text(max_size=60))
def test_any_name_gives_valid_xml(name):
    drawn = Diagram(name, (Node(name, name), Node("b", "work")), (Edge(0, 1, EdgeKind.DATA),), {})
    assert len(texts(parsed(drawn), "name")) == 2


def test_it_refers_to_nothing_outside_itself():
    text = to_svg(diagram("a>b", "b:x:c"))
    assert re.findall(r"(?:href|src|@import|url\()[^)]*", text) == [
        *("url(#data-end", "url(#route-end")
    ]
    assert "<script" not in text


def test_a_long_name_is_cut_and_whole_in_its_tip():
    name = "a_very_long_name_of_a_stage_that_does_far_too_much"
    root = parsed(diagram(f"{name}>b"))
    assert texts(root, "name")[0].endswith("…")
    assert name in [each.text for each in root.iter(f"{SVG}title")]


# --- where things lie -----------------------------------------------------------------------------


@pytest.mark.parametrize("direction", DIRECTIONS)
@settings(max_examples=80, deadline=None)
@given(drawn=diagrams())
def test_stages_do_not_overlap_and_are_inside_the_page(drawn, direction):
    scene = scene_of(drawn, direction)
    for one, other in combinations(scene.boxes, 2):
        apart_x = abs(one.x - other.x) - (one.width + other.width) / 2
        apart_y = abs(one.y - other.y) - (one.height + other.height) / 2
        assert max(apart_x, apart_y) > 0
    for box in scene.boxes:
        assert box.x - box.width / 2 >= 0
        assert box.y - box.height / 2 >= 0
        assert box.x + box.width / 2 <= scene.width
        assert box.y + box.height / 2 <= scene.height


@pytest.mark.parametrize("direction", DIRECTIONS)
@settings(max_examples=80, deadline=None)
@given(drawn=diagrams())
def test_every_edge_ends_at_its_target_and_the_first_of_a_source_begins_there(drawn, direction):
    scene = scene_of(drawn, direction)
    begun = set()
    for curve in scene.curves:
        source, target = scene.boxes[curve.edge.source], scene.boxes[curve.edge.target]
        assert curve.points[-1] == pytest.approx(entrance(target, direction))
        if (curve.edge.source, curve.edge.kind) not in begun:
            assert curve.points[0] == pytest.approx(exit_of(source, direction))
        begun.add((curve.edge.source, curve.edge.kind))
        assert all(0 <= x <= scene.width and 0 <= y <= scene.height for x, y in curve.points)


def entrance(box, direction):
    if direction is Direction.RIGHT:
        return box.x - box.width / 2, box.y
    return box.x, box.y - box.height / 2


def exit_of(box, direction):
    if direction is Direction.RIGHT:
        return box.x + box.width / 2, box.y
    return box.x, box.y + box.height / 2


def test_deep_pipelines_flow_down_and_others_to_the_right():
    assert scene_of(diagram("a>b", "b>c")).direction is Direction.RIGHT
    deep = diagram(*(f"s{number}>s{number + 1}" for number in range(9)))
    assert scene_of(deep).direction is Direction.DOWN


def test_notes_stand_below_the_stages_and_fit_the_page():
    root = parsed(diagram("a:x:b"))
    width, height = (float(root.get(side)) for side in ("width", "height"))
    note = next(each for each in root.iter(f"{SVG}text") if each.get("class") == "note")
    lowest = max(
        float(r.get("y")) + float(r.get("height")) for r in root.iter(f"{SVG}rect") if r.get("y")
    )
    assert lowest < float(note.get("y")) < height
    assert float(note.get("x")) + 5.0 * len(note.text) < width
