"""``timeline``, and ``graph --run``, of real runs."""

import json
import os
import sqlite3
from itertools import takewhile
from xml.etree import ElementTree as ET

import pytest

from stageflow_actors import JSONLEventSink
from stageflow_actors.drawing.labels import cells
from tests.cli.recordings import EVERYTHING, FAILS, LATE, record
from tests.story.runs import Script

SOURCES = ["events.jsonl", "events.db"]


@pytest.fixture(scope="module", params=SOURCES)
def recorded(request, tmp_path_factory):
    """Where three runs are, and their ids."""
    path = tmp_path_factory.mktemp("recorded") / request.param
    return path, record(path, (EVERYTHING, None), (FAILS, None), (LATE, 0.05))


def rows(text):
    """The first word of each row, and the row."""
    table = text.split("\n\n")[1].splitlines()[1:]
    bars = takewhile(lambda line: not line.lstrip().startswith("╵"), table)
    return {line.split()[0]: line for line in bars}


def lines_of(script):
    return "".join(json.dumps(event._asdict()) + "\n" for event in script.events)


# --- what it shows --------------------------------------------------------------------------------


def test_the_newest_run_is_shown_unless_another_one_is_meant(call, recorded):
    path, (everything, fails, late) = recorded
    shown = [call("timeline", path, *which).stdout for which in ([], [fails], [everything[-12:]])]
    assert [text.splitlines()[1] for text in shown] == [
        f"run {late}", f"run {fails}", f"run {everything}"
    ]  # fmt: skip
    assert shown[0].startswith("late: timed out after ")
    assert shown[1].startswith("fails: failed after ")
    assert shown[2].startswith("everything: ok after ")


def test_retries_skips_and_children_are_in_it(call, recorded):
    path, (everything, *_others) = recorded
    found = rows(call("timeline", path, everything, "--width", "120").stdout)
    assert list(found) == ["hear", "flaky", "decide", "right", "left", "below", "deep", "idle"]
    assert "▓" in found["flaky"]
    assert found["right"].split() == ["right", "skipped"]
    assert "═" in found["below"]
    assert "  deep" in found["deep"]


def test_children_are_left_out_on_request(call, recorded):
    path, (everything, *_others) = recorded
    shown = call("timeline", path, everything, "--no-children").stdout
    assert "deep" not in shown
    assert "below" not in shown


def test_a_timed_out_run_says_who_spent_its_time(call, recorded):
    path, _ids = recorded
    last = call("timeline", path).stdout.splitlines()[-1]
    assert last.startswith("Critical path: long ")
    assert "% (decided)" in last


def test_a_child_run_is_shown_when_it_is_meant(call, recorded):
    path, _ids = recorded
    shown = json.loads(call("timeline", path, _ids[0], "-f", "json").stdout)
    child = shown["children"][0]["run_id"]
    assert call("timeline", path, child).stdout.startswith("below: ok after ")


@pytest.mark.parametrize("width", [60, 100, 140])
def test_text_fits_the_width_that_was_asked_for(call, recorded, width):
    path, (everything, *_others) = recorded
    shown = call("timeline", path, everything, "--width", width).stdout
    assert max(map(cells, shown.splitlines())) <= width


def test_ascii_is_ascii(call, recorded):
    path, (everything, *_others) = recorded
    assert call("timeline", path, everything, "--ascii").stdout.isascii()


def test_json_adds_up(call, recorded):
    path, ids = recorded
    for run_id in ids:
        shown = json.loads(call("timeline", path, run_id, "--format", "json").stdout)
        spent = sum(share["ms"] for share in shown["spent"])
        assert spent == pytest.approx(shown["duration_ms"], abs=0.1)
        assert [a["stage"] for a in shown["attempts"]][0] in ("hear", "a")


def test_the_name_of_the_file_says_the_format(call, folder, recorded):
    path, (everything, *_others) = recorded
    for name in ("run.svg", "run.json", "run.txt"):
        done = call("timeline", path, everything, "-o", name)
        assert (done.exit_code, done.stdout) == (0, "")
        assert f"Wrote {name}" in done.stderr
    assert ET.parse(folder / "run.svg").getroot().tag.endswith("svg")
    trace = json.loads((folder / "run.json").read_text())
    assert {"X", "M", "i", "s", "f"} == {event["ph"] for event in trace["traceEvents"]}
    assert [e["name"] for e in trace["traceEvents"] if e.get("cat") == "provider call"] == ["chat"]
    assert "chat us m1: " in (folder / "run.svg").read_text()
    assert (folder / "run.txt").read_text(encoding="utf-8").startswith("everything: ok")


def test_a_stage_of_a_real_run_begins_after_it_was_started(call, recorded):
    path, (everything, *_others) = recorded
    shown = json.loads(call("timeline", path, everything, "-f", "json").stdout)
    for attempt in shown["attempts"]:
        moments = [attempt[f"{name}_ms"] for name in ("started", "began", "ended", "closed")]
        assert moments == sorted(moments)


# --- graph --run ----------------------------------------------------------------------------------

PIPELINE = """
    async def body(ctx): ...
    fails = Pipeline("fails").with_stage("a", body, "work").with_stage("bad", body, "work", "a")
"""


def test_a_pipeline_is_drawn_with_a_run(call, write, recorded):
    path, (_everything, fails, _late) = recorded
    write(PIPELINE)
    shown = call("graph", "shop:fails", "--run", f"{path}:{fails}").stdout
    assert f"run {fails}: failed after " in shown
    assert "*bad " in shown
    assert ", failed" in shown
    svg = call("graph", "shop:fails", "--run", f"{path}:{fails[-12:]}", "-f", "svg").stdout
    assert "stage ran failed critical" in svg


def test_a_pipeline_is_drawn_with_the_newest_run(call, write, recorded):
    path, (_everything, _fails, late) = recorded
    write(PIPELINE)
    shown = call("graph", "shop:fails", "--run", path).stdout
    assert f"run {late}: timed out after " in shown
    assert "1 stage of the run is not in this pipeline." in shown


def test_a_run_that_there_is_not_is_an_error_of_the_graph_too(call, write, recorded):
    write(PIPELINE)
    done = call("graph", "shop:fails", "--run", f"{recorded[0]}:nobody")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "CLI-NO-RUN" in done.stderr


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["none.jsonl", ".", "made.db"])
def test_a_source_that_cannot_be_read_is_an_error(call, folder, name):
    sqlite3.connect(folder / "made.db").execute("CREATE TABLE other (id)").connection.close()
    done = call("timeline", name)
    assert (done.exit_code, done.stdout) == (2, "")
    assert f"The events in {name!r} cannot be read: " in done.stderr
    assert done.stderr.splitlines()[-1] == " code  CLI-EVENTS"


def test_a_damaged_database_is_an_error(call, folder):
    (folder / "bad.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 200)
    done = call("timeline", "bad.db")
    assert (done.exit_code, "CLI-EVENTS" in done.stderr) == (2, True)


@pytest.mark.parametrize("text", ["", "\n\n", "no json\n", '{"type": "shop.opened", "data": {}}\n'])
def test_a_file_without_a_run_is_an_error(call, folder, text):
    (folder / "e").write_text(text)
    done = call("timeline", "e")
    assert done.exit_code == 2
    assert "'e' tells of no run." in done.stderr
    assert "CLI-NO-RUN" in done.stderr


def test_an_id_that_several_runs_have_is_an_error_with_some_of_them(call, folder):
    scripts = [Script(f"{number:08}").begin().end(1) for number in range(9)]
    (folder / "e").write_text("".join(map(lines_of, scripts)))
    done = call("timeline", "e", "0000")
    assert done.exit_code == 2
    assert "9 runs have an id that begins or ends with '0000'." in done.stderr
    assert "The newest: 00000008, 00000007, 00000006, 00000005, 00000004 and 4 more." in done.stderr
    assert "CLI-RUN-AMBIGUOUS" in done.stderr
    done = call("timeline", "e", "9")
    assert "There is no run whose id begins or ends with '9'." in done.stderr


GARBAGE = [
    *("{", "[]", "1", '{"type": 1, "data": {}}', '{"type": "a"}', "\x00\xff", "[" * 100_000),
    '{"type": "a", "data": {"pipeline_run_id": "r"}}',
    '{"type": "a", "data": {"pipeline_run_id": "r", "timestamp": "soon"}}',
    '{"type": "a", "data": {"pipeline_run_id": "r", "timestamp": "0001-01-01T00:00:00"}}',
    '{"type": "a", "data": {"pipeline_run_id": 5, "timestamp": "2026-01-01T00:00:00Z"}}',
]
WRONG = [("stage", 5), ("attempt", "x"), ("seq", -1), ("began_at", "x"), ("after", "a")]
WRONG += [("ended_at", float("nan")), ("dependencies", [1]), ("attributes", []), ("seq", 10**400)]


@pytest.mark.parametrize("line", GARBAGE, ids=lambda line: line[:20])
def test_lines_that_are_no_events_are_counted_and_passed_over(call, folder, line):
    good = lines_of(Script("r").begin().ran("a", 0, 1).end(1))
    (folder / "e").write_text(line + "\n" + good, encoding="latin-1")
    done = call("timeline", "e")
    assert done.exit_code == 0
    assert "e: 1 line is no event; left out." in done.stderr
    assert done.stdout.startswith("p: ok after 1.0 s")


@pytest.mark.parametrize(("name", "value"), WRONG, ids=lambda each: str(each)[:10])
def test_events_whose_data_has_another_form_are_passed_over(call, folder, name, value):
    script = Script("r").begin().ran("a", 0, 1).end(1)
    script.events[2].data[name] = value
    (folder / "e").write_text(lines_of(script))
    done = call("timeline", "e")
    assert done.exit_code == 0
    assert "1 line is no event" in done.stderr


def test_a_last_line_that_was_cut_is_told_and_one_without_its_end_is_taken(call, folder):
    text = lines_of(Script("r").begin().ran("a", 0, 1).end(1))
    (folder / "e").write_text(text[:-40])
    done = call("timeline", "e")
    assert "e: the last line has not ended; left out." in done.stderr
    assert "has not ended after 1.0 s" in done.stdout
    (folder / "e").write_text(text[:-1])
    done = call("timeline", "e")
    assert (done.stderr, "p: ok after" in done.stdout) == ("", True)


def test_standard_input_is_a_source(call):
    text = lines_of(Script("r").begin().ran("a", 0, 1).end(1))
    assert call("timeline", "-", input=text).stdout.startswith("p: ok after 1.0 s")


def test_a_pipe_is_a_source(call):
    end, beginning = os.pipe()
    os.write(beginning, lines_of(Script("r").begin().ran("a", 0, 1).end(1)).encode())
    os.close(beginning)
    assert call("timeline", f"/dev/fd/{end}").stdout.startswith("p: ok after 1.0 s")
    os.close(end)


def test_rotated_parts_of_a_file_belong_to_it(call, folder):
    script = Script("r").begin()
    with JSONLEventSink(folder / "e", max_bytes=400, max_files=50) as sink:
        for event in script.ran("a", 0, 1).ran("b", 1, 2, dependencies=["a"]).end(2).events:
            sink.try_emit(type=event.type, data=event.data)
    assert (folder / "e.2").exists()
    assert list(rows(call("timeline", "e").stdout)) == ["a", "b"]


def test_a_file_that_cannot_be_written_is_an_error(call, recorded):
    done = call("timeline", recorded[0], "-o", "none/x.svg")
    assert (done.exit_code, "CLI-OUTPUT" in done.stderr) == (2, True)


@pytest.mark.parametrize("form", ["text", "svg", "perfetto", "json"])
def test_clocks_that_go_back_and_hostile_names_are_drawn(call, folder, form):
    script = Script("r\x1b[31m", "p\x1b]0;x\x07").begin(5).ran("a\x1b[2J", 3, 1)
    script.start("b", 9).close("b", 2, body=(8, -4)).end(4)
    (folder / "e").write_text(lines_of(script))
    done = call("timeline", "e", "--format", form)
    assert done.exit_code == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert 'width="-' not in done.stdout
