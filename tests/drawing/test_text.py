import pytest
from hypothesis import given, settings

from stageflow_actors.drawing.canvas import Canvas
from stageflow_actors.drawing.labels import cells
from stageflow_actors.drawing.layers import into_layers
from stageflow_actors.drawing.ordering import order_layers
from stageflow_actors.drawing.scene import Direction
from stageflow_actors.drawing.text import to_text
from stageflow_actors.drawing.text_graph import draw_down, draw_to_the_right
from tests.counted import few_or_many
from tests.drawing.shapes import diagram, diagrams, edges_by_name
from tests.drawing.tracing import Picture


def body_of(text):
    """Without the heading and the notes."""
    return "\n".join(text.split("\n\n")[1].splitlines())


# --- pictures -------------------------------------------------------------------------------------


def test_fan_out_and_join_to_the_right():
    drawn = diagram("read>share", "share>a", "share>b", "share>c", "a>merge", "b>merge", "c>merge")
    assert to_text(drawn) == (
        "drawn: 6 stages\n"
        "\n"
        "                 ╭─▶ a ─╮\n"
        " read ──▶ share ─┼─▶ b ─┼─▶ merge\n"
        "                 ╰─▶ c ─╯\n"
    )


def test_fan_out_and_join_down():
    drawn = diagram("read>a", "read>b", "a>merge", "b>merge")
    assert body_of(to_text(drawn, Direction.DOWN)).splitlines() == [
        "read",
        "  │",
        "╭─┴╮",
        "▼  ▼",
        "a  b",
        "│  │",
        "╰─┬╯",
        "  ▼",
        "merge",
    ]


def test_order_is_dashed_and_routes_are_labelled():
    drawn = diagram("a", "r:fast:x", "r:slow:y", "a~x")
    text = to_text(drawn)
    assert "╌▶" in body_of(text)
    assert "─ fast ─▶" in text
    assert "<r>" in text
    assert "(x)" in text
    assert text.endswith(
        "──▶ data, ╌╌▶ order only; <name> decides which of the labelled lines is taken; "
        "(name) may be skipped\n"
    )


def test_labels_down_stand_beside_their_lines():
    drawn = diagram("r:left:x", "a>x", "r:right:y")
    assert body_of(to_text(drawn, Direction.DOWN)).splitlines() == [
        "              <r>      a",
        "               │       │",
        "       ╭───────┴──────╮╰╮",
        "       │ right   left │ │",
        "       ▼              ▼ ▼",
        "      (y)             (x)",
    ]


def test_data_and_order_from_one_stage_are_two_lines():
    assert body_of(to_text(diagram("a>b", "a~c"))) == " a ┬──▶ b\n   ╰╌╌▶ c"


def test_a_line_that_goes_up_or_down_passes_over_one_that_does_not():
    canvas = Canvas()
    canvas.line(1, (1, 0), (1, 4), is_dashed=False)
    canvas.line(2, (0, 2), (2, 2), is_dashed=False)
    assert canvas.rows() == ["  ╷", "╶─│─╴", "  ╵"]
    canvas.line(1, (0, 2), (2, 2), is_dashed=False)
    assert canvas.rows()[1] == "╶─┼─╴"


def test_plain_text_is_ascii():
    drawn = diagram("a>b", "a>c", "b>d", "c~d", "d:x:e", "a>e")
    text = to_text(drawn, is_plain=True)
    assert text.isascii()
    assert "->" in text


def test_control_characters_in_names_do_not_reach_the_terminal():
    text = to_text(diagram("evil\x1b[31m\n>b", title="t\x07"))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "evil\\x1b[31m\\n" in text


def test_wide_characters_do_not_shift_the_lines():
    rows = body_of(to_text(diagram("聞く>z", "ab>z"))).splitlines()
    assert rows == [" 聞く ─┬─▶ z", " ab ───╯"]


# --- what fits ------------------------------------------------------------------------------------


def chain(length):
    return diagram(*(f"stage_{i}>stage_{i + 1}" for i in range(length - 1)))


def test_what_is_too_wide_is_drawn_down():
    text = to_text(chain(6), width=40)
    assert "▼" in text
    assert max(map(len, text.splitlines())) <= 40


def test_what_fits_neither_way_is_listed():
    text = to_text(chain(30), width=60)
    assert "▼" not in text
    assert "▶" not in text
    assert "  2  stage_1   work  reads stage_0" in text


def test_stages_without_any_edge_are_listed():
    assert body_of(to_text(diagram("a b c"))) == "  1  a  work\n     b  work\n     c  work"


def test_the_list_says_why_each_stage_waits():
    drawn = diagram("r:left:x", "r:right:y", "x>z", "y~z", "a~z")
    lines = to_text(drawn, width=10).splitlines()
    assert "  2  x  work  on left of r; may be skipped" in lines
    assert "  3  z  work  reads x; after y, a" in lines


@pytest.mark.parametrize("width", [20, 60, 100])
@settings(max_examples=30)
@given(drawn=diagrams(max_stages=30))
def test_text_of_up_to_30_stages_is_at_most_as_wide_as_asked_or_a_list(drawn, width):
    text = to_text(drawn, width=width)
    is_list = "  1  " in text
    assert is_list or max(map(cells, body_of(text).splitlines())) <= width


# --- the picture says what the diagram says -------------------------------------------------------


def canvas_of(draw, drawn):
    layered = into_layers(drawn)
    return draw(drawn, layered, order_layers(layered))


@few_or_many(diagrams())
def test_reading_the_lines_to_the_right_gives_exactly_the_edges(drawn):
    canvas = canvas_of(draw_to_the_right, drawn)
    assert canvas is not None
    assert Picture(canvas.rows(), "R").edges() == edges_by_name(drawn)


@few_or_many(diagrams())
def test_reading_the_lines_down_gives_exactly_the_edges(drawn):
    canvas = canvas_of(draw_down, drawn)
    assert canvas is not None
    assert Picture(canvas.rows(), "D").edges() == edges_by_name(drawn)


@settings(max_examples=100, deadline=None)
@given(diagrams())
def test_every_stage_is_in_the_picture_once(drawn):
    rows = canvas_of(draw_to_the_right, drawn).rows()
    words = " ".join(rows).split()
    assert all(words.count(node.name) == 1 for node in drawn.nodes)
