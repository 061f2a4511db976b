import json
import subprocess
import sys
from uuid import UUID

import pytest

PIPELINES = """
    import asyncio, datetime, os
    async def hear(ctx):
        return {"text": ctx.snapshot.input_text, "more": dict(ctx.snapshot.metadata)}
    async def speak(ctx): return {"said": ctx.inputs.get("text").upper()}
    async def fail(ctx): raise ConnectionError("no answer\\x1b[31m")
    async def stop(ctx): return StageOutput.cancel("enough")
    async def wait(ctx): await asyncio.sleep(60)
    async def odd(ctx):
        print("printed by a stage")
        when = datetime.datetime(2026, 1, 2)
        return {"when": when, "nan": float("nan"), "set": {1}, 5: b"x", "o": object()}
    async def decide(ctx): return RoutingDecision("left")
    talk = Pipeline("talk").with_stage("hear", hear, "transform")
    talk = talk.with_stage("speak", speak, "work", "hear")
    fails = talk.with_stage("fail", fail, "work", "hear").with_stage("after", wait, "work", "fail")
    stops = talk.with_stage("stop", stop, "work", "speak")
    late = talk.with_stage("wait", wait, "work", timeout=0.01)
    odds = Pipeline("odds").with_stage("odd", odd, "work")
    routes = (Pipeline("routes").with_stage("router", decide, "route")
        .with_stage("left", hear, "work", "router", route="left")
        .with_stage("right", hear, "work", "router", route="right"))
    circle = Pipeline("c").with_stage("a", hear, "work", "b").with_stage("b", hear, "work", "a")
    class Setup:
        name, kind = "s", StageKind.WORK
        async def setup(self): raise RuntimeError("no model")
        async def execute(self, ctx): ...
    setup = Pipeline("setup").with_stage("s", Setup)
"""


@pytest.fixture
def run(call, write):
    write(PIPELINES)

    def run_locally(target, *options, **others):
        return call("run", f"shop:{target}", "--runtime", "local", *options, **others)

    return run_locally


# --- exit codes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "code"),
    [("talk", 0), ("fails", 1), ("late", 1), ("setup", 1), ("stops", 3), ("circle", 2), ("no", 2)],
)
def test_exit_code_says_how_the_run_ended(run, target, code):
    assert run(target, "--text", "hi").exit_code == code
    assert run(target, "--text", "hi", "--json").exit_code == code


@pytest.mark.parametrize(
    "options", [["--runtime", "moon"], ["--colour"], ["--text"]], ids=lambda each: each[0]
)
def test_bad_usage_has_exit_code_2(run, options):
    assert run("talk", *options).exit_code == 2


# --- input ----------------------------------------------------------------------------------------


def heard(result):
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)["outputs"]["hear"]["data"]


def test_the_text_is_the_input_text(run):
    assert heard(run("talk", "--text", "hi", "--json"))["text"] == "hi"


def test_the_text_of_a_file_is_the_input_text(run, folder):
    (folder / "in.txt").write_text("from a file\n", encoding="utf-8")
    assert heard(run("talk", "--file", "in.txt", "--json"))["text"] == "from a file\n"
    assert heard(run("talk", "--file", "-", "--json", input="piped"))["text"] == "piped"


def test_the_parts_of_a_run_are_given_as_json(run, folder):
    parts = {
        "input_text": "hi",
        "metadata": {"language": "en"},
        "pipeline_run_id": "01a1fda3-dc49-732c-a8cd-94fbe902dd86",
    }
    result = run("talk", "--input", json.dumps(parts), "--json")
    assert heard(result) == {"text": "hi", "more": {"language": "en"}}
    assert json.loads(result.stdout)["pipeline_run_id"] == parts["pipeline_run_id"]
    (folder / "in.json").write_text(json.dumps(parts), encoding="utf-8")
    assert heard(run("talk", "--input", "@in.json", "--json"))["text"] == "hi"


def test_text_and_other_parts_go_together(run):
    result = run("talk", "--text", "hi", "--input", '{"metadata": {"a": 1}}', "--json")
    assert heard(result) == {"text": "hi", "more": {"a": 1}}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--text", "a", "--file", "b"], "2 times: by --text and --file"),
        (["--text", "a", "--input", '{"input_text": "b"}'], "2 times: by --text and --input"),
        (["--input", "{"], "--input is no JSON"),
        (["--input", "[1]"], "a JSON list, not an object"),
        (["--input", '{"input_txt": "x"}'], "Did you mean 'input_text'?"),
        (["--input", '{"ports": 1}'], "A run has no part 'ports'"),
        (["--input", '{"user_id": "x"}'], "user_id"),
        (["--input", '{"correlation_id": "x"}'], "correlation_id is no UUID: 'x'"),
        (["--input", "@none.json"], "'none.json' cannot be read: No such file"),
        (["--file", "none.txt"], "'none.txt' cannot be read: No such file"),
        (["--file", "."], "cannot be read"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_input_that_cannot_be_used_is_refused(run, options, said):
    result = run("talk", *options)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


def test_a_file_that_is_no_text_is_refused(run, folder):
    (folder / "in.bin").write_bytes(b"ok\xff")
    result = run("talk", "--file", "in.bin")
    assert result.exit_code == 2
    assert "is no UTF-8 text (byte 2)" in result.stderr


def test_a_correlation_id_reaches_the_run(call, write):
    write(
        "async def tell(ctx): return {'id': ctx.correlation_id}\n"
        "p = Pipeline('p').with_stage('tell', tell, 'work')",
        "ids.py",
    )
    given = "01a1fda3-dc49-732c-a8cd-94fbe902dd86"
    parts = json.dumps({"correlation_id": given})
    result = call("run", "ids:p", "-r", "local", "--json", "-i", parts)
    assert UUID(json.loads(result.stdout)["outputs"]["tell"]["data"]["id"]) == UUID(given)


# --- what is shown --------------------------------------------------------------------------------


def test_changes_of_stages_are_told_in_order(run):
    lines = run("talk", "--text", "hi").stdout.splitlines()
    told = [line.split("ms", 1)[1].split()[:2] for line in lines[1:5]]
    assert lines[0] == "talk: starting 2 stages (local) ..."
    assert told == [
        ["hear", "started"],
        ["hear", "completed"],
        ["speak", "started"],
        ["speak", "completed"],
    ]


def test_a_route_is_told_and_what_it_passes_by(run):
    out = run("routes", "--text", "hi").stdout
    assert "router  took route 'left'" in out
    assert "right   skipped: 'router' took route 'left'" in out


def test_summary_has_the_outputs_that_nobody_reads_on(run):
    out = run("talk", "--text", "hi").stdout
    summary = out.partition("\n\n")[2]
    assert summary.startswith("talk: ok after ")
    assert "2 stages: 2 ok" in summary
    assert "speak\n  said  'HI'" in summary
    assert "'hi'" not in summary


def test_summary_has_a_timeline(run):
    lines = run("talk", "--text", "hi").stdout.splitlines()
    head = next(
        index for index, line in enumerate(lines) if line.split() == ["started", "worked", "path"]
    )
    assert [line.split()[0] for line in lines[head + 1 : head + 3]] == ["hear", "speak"]
    assert all("█" in line for line in lines[head + 1 : head + 3])


def test_a_failure_is_told_with_its_code_and_without_a_traceback(run):
    result = run("fails", "--text", "hi")
    assert "talk: failed after" in result.stdout
    assert ", 1 failed, " in result.stdout
    assert "fail  ConnectionError: no answer\\x1b[31m" in result.stdout
    assert "code  STAGE-RAISED" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr
    assert "\x1b" not in result.stdout


def test_a_failure_is_told_with_its_traceback_on_request(run):
    out = run("fails", "--text", "hi", "--traceback").stdout
    assert "Traceback (most recent call last)" in out
    assert "in fail" in out


def test_a_hint_of_the_failure_is_told(run):
    assert "try  Raise timeout= of stage 'wait'" in run("late", "--text", "hi").stdout


def test_a_cancelled_run_says_who_stopped_it(run):
    out = run("stops", "--text", "hi").stdout
    assert "talk: cancelled after" in out
    assert "stopped by stop: enough" in out


# --- JSON -----------------------------------------------------------------------------------------


def test_json_is_one_document_and_nothing_else(run):
    result = run("odds", "--json")
    document = json.loads(result.stdout)
    assert "printed by a stage" in result.stderr
    assert document["status"] == "ok"
    assert document["runtime"] == "local"
    data = document["outputs"]["odd"]["data"]
    assert data.pop("o").startswith("<object object")
    assert data == {"when": "2026-01-02T00:00:00", "nan": "nan", "set": [1], "5": "b'x'"}


def test_json_stays_alone_whatever_the_process_writes(write, folder):
    write(
        """
        import os, subprocess
        os.system("echo from a child while importing")
        async def noisy(ctx):
            os.write(1, b"raw bytes\\n")
            subprocess.run(["echo", "from a child"])
        p = Pipeline("p").with_stage("noisy", noisy, "work")
        """,
        "noise.py",
    )
    program = "from stageflow_actors.cli.app import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "run", "noise:p", "--runtime", "local", "--json"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["status"] == "ok"
    assert "raw bytes" in done.stderr
    assert "from a child" in done.stderr


def test_json_of_a_failed_run_says_why(run):
    document = json.loads(run("fails", "--text", "hi", "--json").stdout)
    assert (document["status"], document["stage"]) == ("failed", "fail")
    failure = document["failures"]["fail"]
    assert (failure["code"], failure["error_type"]) == ("STAGE-RAISED", "ConnectionError")
    assert "in fail" in failure["traceback"]
    assert document["cancelled"]["after"]["started"] is False
    assert list(document["timings"])[0] == "hear"


@pytest.mark.parametrize("target", ["no", "circle", "setup"])
def test_json_of_a_run_that_did_not_start_has_the_error(run, target):
    result = run(target, "--json")
    document = json.loads(result.stdout)
    assert document["status"] == "error"
    assert set(document["error"]) == {"message", "hint", "code"}
    assert document["error"]["code"] in result.stderr


# --- errors ---------------------------------------------------------------------------------------


def test_an_error_is_one_screen_with_what_to_do(run):
    result = run("talc")
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert lines[0] == "error  Module 'shop' has no attribute 'talc'."
    assert lines[1].startswith("  try  Did you mean talk? Pipelines in 'shop': talk,")
    assert lines[2] == " code  CLI-ATTRIBUTE"


def test_an_error_shows_where_it_was_raised_on_request_only(call, write):
    write("import no_such_thing")
    without, with_ = call("run", "shop:p"), call("run", "shop:p", "--traceback")
    assert "Traceback" not in without.stderr
    assert "--traceback shows where it was raised" in without.stderr
    assert "Traceback (most recent call last)" in with_.stderr
    assert "No module named 'no_such_thing'" in with_.stderr


def test_a_defect_of_the_command_is_told_as_such(run, monkeypatch):
    from stageflow_actors.cli import run as command

    monkeypatch.setattr(command, "print_summary", lambda *_args, **_options: 1 / 0)
    result = run("talk", "--text", "hi")
    assert result.exit_code == 70
    assert "The command itself failed: ZeroDivisionError" in result.stderr
    assert "CLI-DEFECT" in result.stderr
    assert "Traceback" not in result.stderr


# --- Ray ------------------------------------------------------------------------------------------


@pytest.mark.ray
def test_run_on_ray_gives_the_same_document(run, call, ray_session):
    there = call("run", "shop.py:talk", "--runtime", "ray", "--text", "hi", "--json")
    assert there.exit_code == 0, there.stderr
    here = json.loads(run("talk", "--text", "hi", "--json").stdout)
    document = json.loads(there.stdout)
    assert document["runtime"] == "ray"
    assert document["outputs"]["speak"]["data"] == here["outputs"]["speak"]["data"]
    assert set(document) == set(here)


def test_running_locally_does_not_import_ray(run):
    before = "ray" in sys.modules
    assert run("talk", "--text", "hi").exit_code == 0
    assert ("ray" in sys.modules) == before
