"""``events``: recorded events, a line each, also as they come."""

import json
import os
import signal
import subprocess
import sys

import pytest

from stageflow_actors import JSONLEventSink, SQLiteEventSink
from tests.cli.recordings import EVERYTHING, FAILS, record
from tests.story.runs import Script

PROGRAM = """
import signal
from stageflow_actors.cli.app import main

signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may ignore it
main()
"""
SOURCES = ["events.jsonl", "events.db"]
DATA = {"timestamp": "2026-01-01T00:00:00+00:00", "padding": "x" * 40}
OTHER = "01a20000-0000-7000-8000-00000000beef"


@pytest.fixture(scope="module", params=SOURCES)
def recorded(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("recorded") / request.param
    return path, record(path, (EVERYTHING, None), (FAILS, None))


def types(text):
    return [line.split()[3] for line in text.splitlines()]


# --- what is printed ------------------------------------------------------------------------------


def test_each_event_is_a_line_with_its_time_its_run_and_what_it_says(call, recorded):
    path, (_everything, fails) = recorded
    lines = call("events", path, "--run", fails).stdout.splitlines()
    assert types("\n".join(lines)) == [
        *("pipeline.created", "pipeline.started", "stage.a.started", "stage.a.completed"),
        *("stage.bad.started", "stage.bad.failed", "stage.error", "pipeline.failed"),
    ]
    assert all(fails[-12:] in line for line in lines)
    assert lines[0][:2] == "20"
    assert "stage=bad " in lines[6]
    assert 'error="no such parcel"' in lines[6]
    assert "code=STAGE-RAISED" in lines[6]


def test_runs_and_types_are_chosen(call, recorded):
    path, (everything, fails) = recorded
    chosen = call(
        "events", path, "--type", "pipeline.*ed", "--type", "*.error", "--run", everything
    )
    assert set(types(chosen.stdout)) >= {"pipeline.created", "pipeline.completed", "stage.error"}
    assert not any(name.endswith(".started") for name in types(chosen.stdout) if "stage" in name)
    beginning = call("events", path, "--run", fails[:30]).stdout
    assert set(types(beginning)) <= set(types(call("events", path).stdout))


def test_json_is_what_was_recorded(call, recorded):
    path, _ids = recorded
    lines = call("events", path, "--json").stdout.splitlines()
    documents = [json.loads(line) for line in lines]
    assert {"type", "data"} == set(documents[0])
    assert documents[0]["data"]["seq"] == 1
    assert all(line.isascii() for line in lines)
    if path.suffix == ".jsonl":
        assert documents == [json.loads(line) for line in path.read_text().splitlines()]


def test_control_characters_never_reach_the_terminal(call, recorded):
    path, (everything, _fails) = recorded
    shown = call("events", path, "--run", everything, "--type", "*error").stdout
    assert 'error="the shop\\u001b[31m did not answer"' in shown
    assert "\x1b" not in shown


def test_hostile_types_and_keys_stay_on_their_line(call, folder):
    script = Script("r\n\x1b").tell("a\nb\x1b[2J", 0, **{"k\n\x1b": "v\r", "big": "x" * 10_000})
    (folder / "e").write_text("".join(json.dumps(e._asdict()) + "\n" for e in script.events))
    shown = call("events", "e").stdout
    assert shown.count("\n") == 1
    assert shown.strip().isprintable()
    assert len(shown) < 400


def test_events_of_no_run_are_printed(call, folder):
    (folder / "e").write_text('{"type": "shop.opened", "data": {"door": 1}}\n')
    assert call("events", "e").stdout.split() == ["-", "-", "shop.opened", "door=1"]


def test_standard_input_is_a_source(call):
    assert "shop.opened" in call("events", "-", input='{"type":"shop.opened","data":{}}').stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["none"], "CLI-EVENTS"), (["."], "CLI-EVENTS"), (["e", "--run", "x"], "CLI-NO-RUN")],
)
def test_bad_input_is_an_error(call, folder, arguments, code):
    (folder / "e").write_text('{"type": "shop.opened", "data": {}}\nno event\n')
    done = call("events", *arguments)
    assert (done.exit_code, code in done.stderr) == (2, True)


def test_what_is_no_event_is_counted(call, folder):
    (folder / "e").write_text("no\n{}\n")
    done = call("events", "e")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "e: 2 lines are no events; left out." in done.stderr


def test_a_reader_that_leaves_early_is_no_defect(folder):
    events = "".join(f'{{"type": "n.{n}", "data": {{}}}}\n' for n in range(20_000))
    (folder / "e").write_text(events)
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "events", "e"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert b"n.0" in program.stdout.readline()
    program.stdout.close()
    _out, told = program.communicate(timeout=60)
    assert (program.returncode, told) == (0, b"")


# --- following ------------------------------------------------------------------------------------


class Following:
    """``events --follow`` of a source, in a process of its own."""

    def __init__(self, path, *options):
        self._program = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "events", str(path), "--follow", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": ""},
        )

    def types(self, count):
        """Of the next so many lines, as soon as they are there."""
        return [self._program.stdout.readline().split()[3] for _ in range(count)]

    def said(self):
        """The next line on standard error."""
        return self._program.stderr.readline()

    def interrupted(self):
        self._program.send_signal(signal.SIGINT)
        left, told = self._program.communicate(timeout=60)
        return self._program.returncode, left, told

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self._program.kill()
        self._program.communicate()


@pytest.mark.parametrize("name", SOURCES)
def test_what_comes_is_printed_once_until_ctrl_c(tmp_path, name):
    path = tmp_path / name
    rotates = {"max_bytes": 300, "max_files": 50}
    is_file = name.endswith("l")
    with JSONLEventSink(path, **rotates) if is_file else SQLiteEventSink(path) as sink:
        for number in range(5):
            sink.try_emit(type=f"n.{number}", data=DATA)
        if not is_file:
            sink.read(None)
        with Following(path) as program:
            assert program.types(5) == [f"n.{number}" for number in range(5)]
            for number in range(5, 25):
                sink.try_emit(type=f"n.{number}", data=DATA)
            assert program.types(20) == [f"n.{number}" for number in range(5, 25)]
            code, left, told = program.interrupted()
    assert (code, left) == (130, "")
    assert told == "Interrupted.\n"


def test_following_a_run_shows_that_run_alone(tmp_path):
    path = tmp_path / "e"
    mine, other = Script(), Script(OTHER)
    path.write_text("")

    def add(script, type_):
        with path.open("a") as file:
            file.write(json.dumps(script.tell(type_, 0).events[-1]._asdict()) + "\n")

    with Following(path, "--run", OTHER[-4:], "--type", "pipeline.*") as program:
        for script in (mine, other):
            add(script, "pipeline.created")
            add(script, "stage.a.started")
        add(other, "pipeline.completed")
        assert program.types(2) == ["pipeline.created", "pipeline.completed"]


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_that_is_not_there_yet_is_waited_for(tmp_path, name):
    path = tmp_path / "later" / name
    with Following(path) as program:
        assert program.said() == f"Waiting for {path} ...\n"
        path.parent.mkdir()
        with JSONLEventSink(path) if name.endswith("l") else SQLiteEventSink(path) as sink:
            for number in range(3):
                sink.try_emit(type=f"n.{number}", data=DATA)
            assert program.types(3) == ["n.0", "n.1", "n.2"]
        assert program.interrupted() == (130, "", "Interrupted.\n")


def test_waiting_for_a_source_ends_with_ctrl_c(tmp_path):
    with Following(tmp_path / "none.jsonl") as program:
        program.said()
        assert program.interrupted() == (130, "", "Interrupted.\n")


def test_a_source_that_is_there_and_cannot_be_read_is_not_waited_for(call):
    done = call("events", ".", "--follow")
    assert (done.exit_code, "CLI-EVENTS" in done.stderr) == (2, True)
    assert "Waiting" not in done.stderr


def test_following_standard_input_ends_with_it(call):
    done = call("events", "-", "--follow", input='{"type":"shop.opened","data":{}}\n')
    assert (done.exit_code, "shop.opened" in done.stdout) == (0, True)
