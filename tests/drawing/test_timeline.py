"""A run as bars: what is in the chart, in the text and in the SVG."""

import re
import unicodedata
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stageflow_actors.drawing.labels import cells
from stageflow_actors.drawing.timeline.chart import BarKind, chart_of
from stageflow_actors.drawing.timeline.frame import MOST_ROWS, frame_of
from stageflow_actors.drawing.timeline.svg import to_svg
from stageflow_actors.drawing.timeline.text import drawn_bar, report, timeline
from stageflow_actors.drawing.timeline.ticks import duration, percent, ticks
from stageflow_actors.story.parts import Outcome
from stageflow_actors.story.story import stories_of
from tests.story.runs import RUN, Script, chain, scripts

SVG = "{http://www.w3.org/2000/svg}"
UNSHOWN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
HOSTILE = "</text><script>alert('x')</script>&amp;\"]]>\x00\x1b[31m\ud800"


def bars(script, length=10):
    chart = chart_of(script.story)
    return [drawn_bar(row, chart.seconds, length) for row in chart.rows]


def retried():
    script = Script().begin().start("a", 0)
    script.close("a", 2, "error", (0, 2), action_taken="retry", error="no")
    return script.ran("a", 6, 10, attempt=2).end(10)


def with_child():
    parent = Script().begin().start("a", 0)
    ids = {"child_run_id": "child", "parent_stage_id": "a", "pipeline_name": "below"}
    parent.tell("pipeline.spawned_child", 2, stage="a", attempt=1, **ids)
    child = Script("child", "below", parent_run_id=RUN).begin(2).ran("c", 3, 5).end(6)
    parent.tell("pipeline.child_completed", 6, stage="a", attempt=1, status="ok", **ids)
    parent.close("a", 8, body=(0, 8)).ran("b", 8, 10, dependencies=["a"]).end(10)
    return stories_of([*parent.events, *child.events])


# --- bars -----------------------------------------------------------------------------------------


def test_a_stage_waits_for_others_then_for_its_process_and_works():
    script = Script().begin().ran("a", 0, 4).start("b", 4, dependencies=["a"])
    assert bars(script.close("b", 10, body=(5, 10)).end(10)) == ["████", "····░█████"]


def test_the_shortest_stage_has_a_bar_even_at_the_very_end():
    script = Script().begin().ran("a", 0, 9.999).ran("b", 9.999, 10, dependencies=["a"]).end(10)
    assert bars(script)[1] == "·········█"


def test_an_attempt_that_failed_and_the_wait_after_it_look_apart():
    assert bars(retried()) == ["▓▓────████"]
    (row,) = chart_of(retried().story).rows
    assert (row.note, row.outcome) == ("2 attempts", Outcome.COMPLETED)
    assert row.worked_s == pytest.approx(6)


def test_a_stage_that_was_told_to_stop_looks_apart():
    script = Script().begin().start("a", 0)
    script.close("a", 10, "cancelled", (0, 10), status="interrupted")
    assert bars(script.end(10, "timed_out", deciding_stage="<run>")) == ["▒" * 10]


def test_stages_that_did_not_run_say_why():
    script = Script().begin().ran("a", 0, 1).close("b", 1, "skipped", status="skip").end(1)
    chart = chart_of(script.story, stages=["a", "c", "b"])
    assert [(row.name, row.note) for row in chart.rows] == [
        *(("a", ""), ("c", "not started"), ("b", "skipped"))
    ]
    lines = [line.split() for line in timeline(chart).splitlines()]
    assert ["c", "not", "started"] in lines
    assert ["b", "skipped"] in lines


def test_a_stage_that_skipped_itself_has_a_bar():
    script = Script().begin().start("a", 0).close("a", 1, "skipped", (0, 1), status="skip").end(1)
    assert bars(script) == ["█" * 10]


def test_child_runs_stand_below_the_stage_that_spawned_them():
    stories = with_child()
    rows = chart_of(stories[RUN], stories).rows
    assert [(row.name, row.depth, row.is_run) for row in rows] == [
        *(("a", 0, False), ("below", 1, True), ("c", 2, False), ("b", 0, False))
    ]
    assert [bar.kind for bar in rows[1].bars] == [BarKind.RUN]
    assert (rows[1].bars[0].started_s, rows[1].bars[0].ended_s) == (2, 6)


def test_a_child_that_nothing_else_is_known_of_has_a_row():
    stories = with_child()
    rows = chart_of(stories[RUN]).rows
    assert [row.name for row in rows] == ["a", "below", "b"]


def test_a_run_that_is_its_own_child_is_drawn_to_a_bound():
    script = Script().begin().start("a", 0)
    ids = {"child_run_id": RUN, "parent_stage_id": "a", "pipeline_name": "again"}
    script.tell("pipeline.spawned_child", 1, stage="a", attempt=1, **ids).end(2)
    stories = stories_of(script.events)
    assert len(chart_of(stories[RUN], stories).rows) < 50


def test_a_run_that_has_not_ended_ends_where_it_is_known_to():
    script = Script().begin().start("a", 0).tell("shop.told", 4)
    chart = chart_of(script.story)
    assert (chart.status, chart.seconds) == (None, 4)
    assert "p: has not ended after 4.0 s" in report(chart)


# --- text -----------------------------------------------------------------------------------------


def test_report_says_who_spent_the_time():
    script = Script().begin().ran("a", 0, 1).start("b", 1, dependencies=["a"])
    script.close("b", 10, "cancelled", (1, 10), status="interrupted")
    script.end(10, "timed_out", deciding_stage="<run>", reason="Run timed out")
    lines = report(chart_of(script.story)).splitlines()
    assert lines[:2] == ["p: timed out after 10.0 s: Run timed out", f"run {RUN}"]
    assert lines[-1] == "Critical path: b 90% (decided), a 10%"


def test_the_axis_has_round_ticks_below_the_bars():
    lines = timeline(chart_of(chain().story), width=80).splitlines()
    axis = lines[3]
    labels = re.findall(r"╵(\d+)", axis)
    assert labels in (["0", "1", "2", "3", "4", "5"], ["0", "2", "4"])
    places = [place for place, sign in enumerate(axis) if sign == "╵"]
    assert max(b - a for a, b in pairwise(places)) - min(b - a for a, b in pairwise(places)) <= 1
    assert axis.index("╵0") == lines[1].index("█")


def test_what_the_signs_mean_stands_below():
    lines = timeline(chart_of(retried().story)).splitlines()
    assert lines[-1] == "█ works, ▓ fails, ─ waits to be retried"


def test_the_time_between_two_is_named_where_there_is_some():
    script = Script().begin().start("a", 0)
    script.close("a", 4, "error", (0, 2), action_taken="retry", error="no")
    script.ran("a", 6, 10, attempt=2).end(10)
    assert bars(script) == ["▓▓  ──████"]
    told = "blank: the runtime, or a guard, is between two attempts"
    assert timeline(chart_of(script.story), width=120).endswith(f", {told}\n")
    assert "blank" not in timeline(chart_of(retried().story))


@settings(max_examples=60, deadline=None)
@given(scripts(), st.integers(60, 160), st.booleans())
def test_text_fits_its_width_and_has_no_control_character(script, width, is_plain):
    for run in stories_of(script.events).values():
        text = report(chart_of(run), width=width, is_plain=is_plain)
        assert max(map(cells, text.splitlines())) <= width
        assert not {unicodedata.category(char) for char in text.replace("\n", "")} & UNSHOWN


def test_plain_text_is_ascii():
    stories = with_child()
    for chart in (chart_of(retried().story), chart_of(stories[RUN], stories)):
        assert report(chart, is_plain=True).isascii()
    assert "xx----####" in timeline(chart_of(retried().story), width=10, is_plain=True)


# --- ticks and times ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "most", "labels"),
    [
        (0.3, 3, ["0", "100 ms", "200 ms", "300 ms"]),
        (0.0123, 3, ["0", "5 ms", "10 ms"]),
        (1.2, 6, ["0", "0.2 s", "0.4 s", "0.6 s", "0.8 s", "1.0 s", "1.2 s"]),
        (90, 5, ["0", "20 s", "40 s", "60 s", "80 s"]),
        (1000, 4, ["0", "5 min", "10 min", "15 min"]),
        (50_000, 3, ["0", "5 h", "10 h"]),
        (0.0, 3, ["0"]),
    ],
)
def test_ticks_are_round(seconds, most, labels):
    assert [tick.label for tick in ticks(seconds, most)] == labels


@given(st.floats(0, 1e9), st.integers(1, 20))
def test_ticks_are_few_apart_and_inside(seconds, most):
    found = ticks(seconds, most)
    assert 1 <= len(found) <= most + 1
    assert all(0 <= tick.at_s <= seconds * (1 + 1e-6) for tick in found)
    assert len({tick.label for tick in found}) == len(found)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-1, "0.0 ms"),
        (0.9999, "999.9 ms"),
        (0.99999, "1.0 s"),
        (119.97, "2 min 00 s"),
        (7500, "2 h 05 min"),
    ],
)
def test_times_are_told_in_words(seconds, told):
    assert duration(seconds) == told


def test_a_share_that_is_there_is_never_nothing():
    assert [percent(part) for part in (0, 0.001, 0.333, 1)] == ["0%", "<1%", "33%", "100%"]


# --- SVG ------------------------------------------------------------------------------------------


def parsed(chart, **options):
    return ET.fromstring(to_svg(chart, **options))


def numbers(element, *names):
    return [float(element.get(name)) for name in names]


@settings(max_examples=60, deadline=None)
@given(scripts(), st.integers(10, 2000))
def test_any_run_gives_valid_xml_with_all_bars_inside_the_chart(script, width):
    for run in stories_of(script.events).values():
        chart = chart_of(run)
        root, frame = parsed(chart, width=width), frame_of(chart, max(width, 480))
        page_width, page_height = numbers(root, "width", "height")
        assert page_width >= 480
        for rect in root.iter(f"{SVG}rect"):
            if rect.get("class") == "page":
                continue
            x, y, wide, high = numbers(rect, "x", "y", "width", "height")
            assert wide >= 0
            assert 0 <= x <= x + wide <= page_width
            assert 0 <= y <= y + high <= page_height
            if "bar" in rect.get("class").split() and y < frame.rows_end:
                assert frame.left - 0.1 <= x <= x + wide <= frame.left + frame.length + 0.1


def test_the_pieces_of_the_critical_path_stand_side_by_side():
    pieces = [
        rect for rect in parsed(chart_of(chain().story)).iter(f"{SVG}rect")
        if (rect.get("class") or "").startswith("piece")
    ]  # fmt: skip
    assert [piece.get("class") for piece in pieces] == [
        *("piece working", "piece waiting", "piece working", "piece runtime")
    ]
    for one, other in zip(pieces, pieces[1:]):
        assert sum(numbers(one, "x", "width")) == pytest.approx(float(other.get("x")), abs=0.2)


def test_the_line_of_the_critical_path_goes_through_its_rows():
    script = Script().begin().ran("a", 0, 4).ran("beside", 0, 1)
    chart = chart_of(script.ran("b", 4, 10, dependencies=["a"]).end(10).story)
    frame, root = frame_of(chart, 960), parsed(chart)
    (line,) = [each for each in root.iter(f"{SVG}path") if each.get("transform") is None][:1]
    points = [tuple(map(float, pair)) for pair in re.findall(r"([\d.]+),([\d.]+)", line.get("d"))]
    assert [x for x, _y in points] == pytest.approx(
        [frame.x(0), frame.x(4), frame.x(4), frame.x(10)], abs=0.1
    )
    assert [y > frame.middle(2) for _x, y in points] == [False, False, True, True]


def test_grid_lines_stand_where_their_labels_say():
    chart = chart_of(chain().story)
    frame, root = frame_of(chart, 960), parsed(chart)
    labels = [each for each in root.iter(f"{SVG}text") if each.get("class") == "tick"]
    lines = [each for each in root.iter(f"{SVG}line") if each.get("class") == "grid"]
    assert [label.text for label in labels] == ["0", "1 s", "2 s", "3 s", "4 s", "5 s", "6 s"]
    for label, line in zip(labels, lines, strict=True):
        second = float(label.text.removesuffix(" s"))
        assert float(label.get("x")) == float(line.get("x1")) == round(frame.x(second), 1)


def test_only_what_is_in_the_picture_is_in_its_legend():
    def legend(script):
        text = to_svg(chart_of(script.story))
        meanings = ("waits for its process", "fails, is retried", "provider call", "child run")
        meanings += ("the runtime is between two",)
        return [meaning for meaning in meanings if f">{meaning}<" in text]

    assert legend(chain()) == ["waits for its process", "the runtime is between two"]
    assert legend(retried()) == ["fails, is retried"]
    called = Script().begin().start("a", 0)
    called.tell("provider.call", 5, stage="a", attempt=1, latency_ms=3000, attributes={})
    assert legend(called.close("a", 6, body=(0, 6)).end(6)) == ["provider call"]
    assert legend(Script().begin().ran("a", 0, 1).end(1.001)) == []  # one line wide


def test_hostile_text_stays_text_and_nothing_outside_is_referred_to():
    script = Script(pipeline=HOSTILE).begin().start(HOSTILE, 0)
    script.close(HOSTILE, 1, "failed", (0, 1), error=HOSTILE, code=HOSTILE)
    text = to_svg(chart_of(script.end(2, "failed", reason=HOSTILE).story))
    tags = {each.tag.removeprefix(SVG) for each in ET.fromstring(text).iter()}
    assert tags <= {"svg", "title", "desc", "style", "rect", "line", "path", "text"}
    assert not re.findall(r"(?:href|src|@import|url\()", text)


def test_a_picture_has_at_most_so_many_rows_and_says_how_many_are_left_out():
    script = Script().begin()
    for number in range(MOST_ROWS + 20):
        script.ran(f"s{number}", number / 100, number / 100 + 0.001 * number)
    text = to_svg(chart_of(script.end(9).story))
    assert "20 rows are left out" in text
    assert ">s0</text>" not in text
    assert f">s{MOST_ROWS + 19}</text>" in text


def test_long_names_are_cut_and_whole_in_their_tips():
    name = "a_very_long_name_of_a_stage_that_does_far_too_much_for_one"
    root = parsed(chart_of(Script().begin().ran(name, 0, 1).end(1).story))
    named = [each for each in root.iter(f"{SVG}text") if each.get("class") == "name"]
    assert named[0].text.endswith("…")
    assert named[0].find(f"{SVG}title").text == name


def test_a_run_without_any_duration_has_a_timeline():
    chart = chart_of(Script().begin().ran("a", 0, 0).end(0).story)
    assert "█" in timeline(chart)
    assert parsed(chart) is not None
