"""The guide shows what the program really prints."""

from __future__ import annotations

import re

import pytest

from stageflow_actors.cli.app import make_app
from stageflow_actors.lint.findings import Rule
from tests.cli.sessions import typed
from tests.docs import documents

GUIDE = documents.ROOT / "docs" / "guides" / "command-line.md"
NAME = "stageflow-actors "
PROMPT = "$ "
ASKS_FOR_THE_CODE = "echo $?"


@pytest.fixture
def files(tmp_path):
    """Each Python block under the name that the prose before it gives."""
    text = GUIDE.read_text(encoding="utf-8")
    for block in documents.examples(GUIDE):
        name = re.findall(r"`(\w+\.py)`", text[: text.index(block.code)])[-1]
        (tmp_path / name).write_text(block.code, encoding="utf-8")
    return tmp_path


def shown_sessions():
    """Command and output of everything that was typed in the console blocks."""
    for block in documents.blocks(GUIDE):
        if block.info == "console":
            for session in block.code.split(f"\n{PROMPT}"):
                command, _newline, output = session.removeprefix(PROMPT).partition("\n")
                yield command, output


def without_times(output):
    """Lines without what differs from run to run: times, ids, and the bars that show them."""
    numbers = re.sub(r"\d+\.\d |<?\d+%", "N ", re.sub(r"run [\da-f-]{36}", "run ID", output))
    lines = re.sub(r"[·░█▓╵]+.*", "", numbers).splitlines()
    return [" ".join(line.split()) for line in lines if line.strip()]


def test_the_sessions_in_the_guide_are_real(files):
    shown = list(shown_sessions())
    commands = [command for command, _output in shown if command != ASKS_FOR_THE_CODE]
    assert len(commands) == 9
    answers = iter(typed([command.removeprefix(NAME) for command in commands], files, columns=90))
    code = None
    for command, output in shown:
        if command == ASKS_FOR_THE_CODE:
            assert output.strip() == str(code)
        else:
            printed, code = next(answers)
            assert without_times(printed) == without_times(output), command


def test_the_guide_lists_exactly_the_commands():
    listed = set(
        re.findall(r"^\| `stageflow-actors ([\w-]+)` \|", GUIDE.read_text("utf-8"), re.MULTILINE)
    )
    names = {command.callback.__name__ for command in make_app().registered_commands}
    assert listed == {name.replace("_", "-") for name in names}


def test_the_guide_lists_exactly_the_rules():
    _before, _heading, after = documents.prose(GUIDE).partition("## lint")
    rows = documents.table_rows(after.partition("\n## ")[0])
    assert {documents.code_spans(row[0])[0] for row in rows} == {str(rule) for rule in Rule}
