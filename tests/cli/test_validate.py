"""Files of pipelines on the command line: ``validate``, and wherever a pipeline is named."""

import json
import os
import subprocess
import sys

import pytest

PROGRAM = "from stageflow_actors.cli.app import main; main()"

STAGES = """
    async def hear(ctx): return {"text": ctx.snapshot.input_text}
    async def think(ctx): return {"reply": ctx.inputs.require_from("hear", "text").upper()}
"""
SOUND = """
name: chat
stages:
  hear: {runner: "shop:hear", kind: transform}
  think: {runner: "shop:think", kind: agent, dependencies: hear}
"""
SEVERAL = """
pipelines:
  my-chat: {stages: {hear: {runner: "shop:hear", kind: transform}}}
  other: {stages: {hear: {runner: "shop:hear", kind: transform}}}
"""
WRONG = """
stages:
  hear: {runner: "shop:haer", kind: transform}
  think: {runner: "shop:think", kind: agent, retry: {max_attempts: 0}}
"""


@pytest.fixture
def files(write, folder):
    """Files in the folder ``flows`` beside the module that they name."""
    write(STAGES)
    (folder / "flows").mkdir()
    texts = {"sound.yaml": SOUND, "several.yml": SEVERAL, "wrong.yaml": WRONG, "cut.yaml": "a: ["}
    texts["sound.toml"] = 'stages.hear = {runner = "shop:hear", kind = "work"}\n'
    for name, text in texts.items():
        (folder / "flows" / name).write_text(text, encoding="utf-8")
    return folder / "flows"


@pytest.fixture
def validate(call, files):
    return lambda *arguments: call("validate", *arguments)


# --- validate -------------------------------------------------------------------------------------


def test_files_that_are_valid_are_listed_with_their_pipelines(validate):
    result = validate("flows/sound.yaml", "flows/several.yml", "flows/sound.toml")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "flows/sound.yaml: valid: chat (2 stages)",
        "flows/several.yml: valid: my-chat (1 stage), other (1 stage)",
        "flows/sound.toml: valid: sound (1 stage)",
    ]


def test_every_problem_is_a_line_that_begins_with_file_and_line(validate):
    result = validate("flows/wrong.yaml", "flows/sound.yaml", "flows/cut.yaml")
    assert result.exit_code == 1
    first, second, third, fourth = result.stdout.splitlines()
    assert first.startswith("flows/wrong.yaml:3: stages.hear.runner: 'shop' has no 'haer'.")
    assert second == (
        "flows/wrong.yaml:4: stages.think.retry.max_attempts: should be greater than or equal to "
        "1, got 0. Correct it, or leave it out: then it is 3. [CONFIG-VALUE]"
    )
    assert third == "flows/sound.yaml: valid: chat (2 stages)"
    assert fourth.startswith("flows/cut.yaml:1: is no YAML")


def test_a_file_that_cannot_be_read_has_an_exit_code_of_its_own(validate):
    result = validate("flows/no.yaml", "flows/wrong.yaml")
    assert result.exit_code == 2
    assert result.stdout.startswith("flows/no.yaml: cannot be read: No such file or directory.")
    assert len(result.stdout.splitlines()) == 3


def test_json_has_the_problems_of_every_file(validate):
    result = validate("flows/wrong.yaml", "flows/sound.yaml", "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["status"] == "invalid"
    wrong, sound = document["files"]
    assert sound == {
        "file": "flows/sound.yaml",
        "pipelines": [{"name": "chat", "stages": ["hear", "think"]}],
        "problems": [],
    }
    assert (wrong["file"], wrong["pipelines"]) == ("flows/wrong.yaml", [])
    assert wrong["problems"][1] == {
        "message": "should be greater than or equal to 1, got 0.",
        "file": "flows/wrong.yaml",
        "line": 4,
        "path": "stages.think.retry.max_attempts",
        "hint": "Correct it, or leave it out: then it is 3.",
        "code": "CONFIG-VALUE",
        "value": "0",
        "variable": "",
    }
    assert json.loads(validate("flows/sound.yaml", "--json").stdout)["status"] == "valid"


def test_the_schema_is_printed_as_one_document(validate):
    result = validate("--schema")
    assert result.exit_code == 0
    assert "StageEntry" in json.loads(result.stdout)["$defs"]


def test_without_a_file_it_is_bad_usage(validate):
    assert validate().exit_code == 2


def test_what_a_module_prints_is_not_among_the_lines(validate, write):
    write(STAGES + "    print('imported')")
    assert "imported" not in validate("flows/sound.yaml").stdout


def test_overrides_of_the_environment_are_checked_too(validate, monkeypatch):
    monkeypatch.setenv("STAGEFLOW_STAGES__THINK__TIMEOUT", "soon")
    result = validate("flows/sound.yaml")
    assert result.exit_code == 1
    assert "stages.think.timeout (from STAGEFLOW_STAGES__THINK__TIMEOUT)" in result.stdout


# --- as a target ----------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["flows/sound.yaml", "flows/sound.yaml:chat"])
def test_a_file_can_be_run_drawn_and_linted(call, files, target):
    done = call("run", target, "--runtime", "local", "--text", "hello", "--json")
    assert json.loads(done.stdout)["outputs"]["think"]["data"] == {"reply": "HELLO"}
    assert "hear" in call("graph", target).stdout
    assert call("lint", target).stdout == "chat: 2 stages, 0 findings, 0 notes\n"


def test_one_of_several_pipelines_is_named_behind_the_colon(call, files):
    assert call("lint", "flows/several.yml:my-chat").stdout.startswith("my-chat: 1 stage")
    refused = call("lint", "flows/several.yml")
    assert refused.exit_code == 2
    assert "Name one of them: my-chat, other." in refused.stderr


def test_modules_beside_the_file_can_be_named(call, files, write):
    write(STAGES, "flows/beside.py")
    text = SOUND.replace("shop:", "beside:")
    (files / "sound.yaml").write_text(text, encoding="utf-8")
    assert call("lint", "flows/sound.yaml").exit_code == 0
    assert call("validate", "flows/sound.yaml").exit_code == 0


def test_a_file_with_problems_is_unusable_and_every_problem_is_shown(call, files):
    refused = call("run", "flows/wrong.yaml", "--json")
    assert refused.exit_code == 2
    assert "flows/wrong.yaml:3: stages.hear.runner" in refused.stderr
    assert "flows/wrong.yaml:4: stages.think.retry.max_attempts" in refused.stderr
    error = json.loads(refused.stdout)["error"]
    assert error["code"] == "CONFIG-INVALID"


@pytest.mark.ray
@pytest.mark.usefixtures("joined_ray")
def test_modules_beside_the_file_travel_to_the_processes_of_the_stages(files, folder):
    (folder / "shop.py").rename(files / "shop.py")
    arguments = ["run", "flows/sound.yaml", "--text", "hello", "--json"]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=folder,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outputs"]["think"]["data"] == {"reply": "HELLO"}
