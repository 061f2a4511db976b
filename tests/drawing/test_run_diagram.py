"""A pipeline that shows one of its runs."""

import re
from xml.etree import ElementTree as ET

import pytest

from stageflow_actors.drawing.diagram import diagram_of
from stageflow_actors.drawing.dot import to_dot
from stageflow_actors.drawing.mermaid import to_mermaid
from stageflow_actors.drawing.run_diagram import with_run
from stageflow_actors.drawing.scene import scene_of
from stageflow_actors.drawing.svg import to_svg
from stageflow_actors.drawing.text import to_text
from stageflow_actors.drawing.text_list import as_list
from tests.drawing.shapes import pipeline_of
from tests.story.runs import RUN, Script

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def drawn():
    """a, then b, which fails twice, beside c; d was not started."""
    script = Script().begin().ran("a", 0, 1).start("b", 1, dependencies=["a"])
    script.close("b", 2, "error", (1, 2), action_taken="retry")
    script.ran("c", 1, 2, dependencies=["a"]).start("b", 3, 2, dependencies=["a"])
    script.close("b", 4, "failed", (3, 4), 2, status="failed")
    script.end(4, "failed", deciding_stage="b")
    return with_run(diagram_of(pipeline_of(a="", b="a", c="a", d="b c").plan), script.story)


def test_each_stage_has_its_outcome_and_its_time(drawn):
    told = {node.name: (node.fate.outcome, node.fate.told) for node in drawn.nodes}
    assert told == {
        "a": ("completed", "1.0 s"),
        "b": ("failed", "2.0 s, 2 attempts, failed"),
        "c": ("completed", "1.0 s"),
        "d": (None, "not started"),
    }


def test_the_critical_path_is_marked_on_stages_and_edges(drawn):
    names = [node.name for node in drawn.nodes]
    assert [node.name for node in drawn.nodes if node.fate.is_critical] == ["a", "b"]
    marked = [edge for edge in drawn.edges if edge.is_critical]
    assert [(names[e.source], names[e.target]) for e in marked] == [("a", "b")]


def test_stages_of_the_run_that_the_pipeline_has_not_are_counted():
    story = Script().begin().ran("a", 0, 1).ran("x", 0, 1).ran("y", 0, 1).end(1).story
    drawn = with_run(diagram_of(pipeline_of(a="").plan), story)
    assert drawn.footnotes() == [
        f"run {RUN}: ok after 1.0 s",
        "2 stages of the run are not in this pipeline.",
    ]


def test_svg_has_a_class_for_each_outcome_and_a_legend_of_those_there_are(drawn):
    root = ET.fromstring(to_svg(drawn))
    stages = [g.get("class") for g in root.iter(f"{SVG}g")]
    assert stages == [
        *("stage ran completed critical", "stage ran failed critical"),
        *("stage ran completed", "stage ran unstarted"),
    ]
    notes = [each.text for each in root.iter(f"{SVG}text") if each.get("class") == "note"]
    assert notes[:4] == ["ok", "failed", "not started", "critical path"]
    told = [each.text for each in root.iter(f"{SVG}text") if each.get("class") == "kind"]
    assert told == ["1.0 s", "2.0 s, 2 attempts, failed", "1.0 s", "not started"]
    edges = [each.get("class") for each in root.iter(f"{SVG}path") if each.get("marker-end")]
    assert edges.count("edge data critical") == 1


def test_every_class_has_its_colours_on_light_and_dark_pages(drawn):
    style = "".join(each.text for each in ET.fromstring(to_svg(drawn)).iter(f"{SVG}style"))
    for name in ("completed", "failed", "skipped", "cancelled", "unstarted"):
        assert len(re.findall(rf"\.ran\.{name} {{ fill", style)) == 2


def test_boxes_are_wide_enough_for_what_is_told(drawn):
    for box in scene_of(drawn).boxes:
        assert box.width > 6.1 * len(box.node.fate.told)


def test_text_tells_times_and_the_critical_path(drawn):
    text = to_text(drawn)
    assert "*b 2.0 s, 2 attempts, failed" in text
    assert " c 1.0 s" in text
    assert "\n* on the critical path\n" in text
    assert any(
        line.endswith("reads a; 2.0 s, 2 attempts, failed, critical") for line in as_list(drawn)
    )


def test_mermaid_and_dot_have_colours_and_thick_lines(drawn):
    mermaid, dot = to_mermaid(drawn), to_dot(drawn)
    assert 's1["b<br/>2.0 s, 2 attempts, failed"]' in mermaid
    assert "class s1 failed" in mermaid
    assert "linkStyle 0 stroke-width:3px" in mermaid
    assert 's1 [label="b\\n2.0 s, 2 attempts, failed", color=' in dot
    assert "s0 -> s1 [penwidth=2.5];" in dot
    assert f"run {RUN}: failed after 4.0 s" in dot


def test_a_picture_without_a_run_has_none_of_this():
    drawn = diagram_of(pipeline_of(a="", b="a").plan)
    for write in (to_svg, to_mermaid, to_dot, to_text):
        assert "critical" not in write(drawn)
