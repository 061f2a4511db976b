"""The guide shows what the program really prints."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys

import pytest

from stageflow_actors.cli.app import make_app
from stageflow_actors.lint.findings import Rule
from tests.docs import documents

GUIDE = documents.ROOT / "docs" / "guides" / "command-line.md"
PROGRAM = "from stageflow_actors.cli.app import main; main()"
PROMPT = "$ "


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


def typed(command, folder):
    _program, *arguments = shlex.split(command)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": "90", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout, done.returncode


def without_times(output):
    """Lines without what differs from run to run: times, and the bars that show them."""
    lines = re.sub(r"[·░█]+.*", "", re.sub(r"\d+\.\d ", "N ", output)).splitlines()
    return [" ".join(line.split()) for line in lines if line.strip()]


def test_the_sessions_in_the_guide_are_real(files):
    code, count = None, 0
    for command, output in shown_sessions():
        if command == "echo $?":
            assert output.strip() == str(code)
            continue
        printed, code = typed(command, files)
        assert without_times(printed) == without_times(output), command
        count += 1
    assert count == 6


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
