"""``run --record``: what the other commands read right after the first run."""

import json
import threading

import pytest

from stageflow_actors.adapters.jsonl import JSONLEventSink

PIPELINES = """
    import stageflow_actors
    async def hear(ctx): return {"text": ctx.snapshot.input_text}
    async def fail(ctx): raise ValueError("no such parcel")
    talk = Pipeline("talk").with_stage("hear", hear, "transform")
    fails = talk.with_stage("fail", fail, "work", "hear")
    class Setup:
        name, kind = "s", StageKind.WORK
        async def setup(self): raise RuntimeError("no model")
        async def execute(self, ctx): ...
    setup = Pipeline("setup").with_stage("s", Setup)
"""
FILES = ["e.jsonl", "e.db", "e.sqlite", "e.SQLITE3"]


@pytest.fixture
def run(call, write):
    write(PIPELINES)
    return lambda target, *more: call("run", f"shop:{target}", "-r", "local", "-t", "hi", *more)


@pytest.mark.parametrize("file", FILES)
def test_the_other_commands_show_what_a_run_has_recorded(run, call, folder, file):
    done = run("fails", "--record", file, "--json")
    assert (done.exit_code, done.stderr) == (1, f"Recorded in {file}.\n")
    run_id = json.loads(done.stdout)["pipeline_run_id"]
    shown = call("timeline", file).stdout
    assert shown.startswith("talk: failed after ")
    assert f"run {run_id}" in shown
    types = [line.split()[3] for line in call("events", file).stdout.splitlines()]
    assert (types[0], types[-1]) == ("pipeline.created", "pipeline.failed")
    assert f"run {run_id}: failed after " in call("graph", "shop:fails", "--run", file).stdout
    is_database = (folder / file).read_bytes().startswith(b"SQLite format 3\0")
    assert is_database is (file != "e.jsonl")


def test_runs_are_recorded_behind_each_other(run, call):
    ids = [json.loads(run("talk", "--record", "e.jsonl", "--json").stdout) for _ in range(2)]
    for each in ids:
        assert call("timeline", "e.jsonl", each["pipeline_run_id"]).exit_code == 0


def test_the_sink_of_the_module_gets_the_events_too(call, write, folder):
    from stageflow_actors import clear_event_sink, get_event_sink

    write(PIPELINES + '    stageflow_actors.set_event_sink(JSONLEventSink("own.jsonl"))\n')
    try:
        assert call("run", "shop:talk", "-r", "local", "--record", "e.jsonl").exit_code == 0
    finally:
        get_event_sink().close()
        clear_event_sink()
    assert (folder / "own.jsonl").read_bytes() == (folder / "e.jsonl").read_bytes() != b""


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("e.txt", "Possible are: .jsonl, .db, .sqlite, .sqlite3."),
        ("e", "has no ending"),
        ("shop.py", "ends in '.py'"),
        ("none/e.jsonl", "cannot be opened"),
        ("none/e.db", "cannot be opened"),
        ("link.jsonl", "would be written over"),
        ("input.jsonl", "would be written over"),
    ],
)
def test_a_file_that_cannot_be_recorded_to_is_refused_before_the_run(run, folder, file, said):
    (folder / "link.jsonl").symlink_to("shop.py")
    (folder / "input.jsonl").write_text("{}", "utf-8")
    done = run("talk", "--record", file, "-i", "@input.jsonl")
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.splitlines()[-1] == " code  CLI-OUTPUT"
    assert (folder / "input.jsonl").read_text("utf-8") == "{}"
    assert not (folder / "e").exists()


def test_what_could_not_be_recorded_is_counted(run, monkeypatch):
    def no_room(self, file, line):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(JSONLEventSink, "_write", no_room)
    done = run("talk", "--record", "e.jsonl")
    assert done.exit_code == 0
    assert " events are missing there: the file took too long, or failed." in done.stderr


def test_a_database_is_closed_when_nothing_could_be_run(run):
    def writers():
        return [each for each in threading.enumerate() if each.name == "stageflow-sqlite"]

    before = writers()
    assert run("setup", "--record", "e.db").exit_code == 1
    assert writers() == before
