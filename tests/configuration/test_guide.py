"""The guide to pipelines as files: its code is run, and its sessions are typed, on its files."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys

import pytest

from tests.docs import documents

GUIDE = documents.ROOT / "docs" / "guides" / "configuration.md"
NAMED = r"`(\w+\.(?:py|yaml))`[^`\n]*:\n\n$"
PROGRAM = "from stageflow_actors.cli.app import main; main()"


def name_of(block):
    """The file that the line before a block says it is; ``None`` for code that uses files."""
    lines = GUIDE.read_text(encoding="utf-8").splitlines(keepends=True)
    before = "".join(lines[: block.line - 2])
    found = re.search(NAMED, before)
    return found[1] if found else None


@pytest.fixture
def folder(tmp_path):
    for block in documents.blocks(GUIDE):
        name = name_of(block)
        if name is not None:
            (tmp_path / name).write_text(block.code, encoding="utf-8")
    return tmp_path


def call(folder, *arguments):
    variables = {**os.environ, "PYTHONPATH": "."}
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )


def expected_lines(code):
    """Comments behind ``print``, or below it, down to the end of its block."""
    for line in code.splitlines():
        found = re.match(r"\s*print\(.*\)  # (.+)$", line) or re.match(r"\s*# (.+)$", line)
        if found:
            yield found[1]


def test_the_guide_names_its_files(folder):
    names = {"support.py", "support.yaml", "flows.yaml", "wrong.yaml"}
    assert {path.name for path in folder.iterdir()} == names


def test_the_code_of_the_guide_prints_what_its_comments_say(folder):
    code = [
        block.code
        for block in documents.blocks(GUIDE)
        if block.info == "python no-run" and name_of(block) is None
    ]
    done = call(folder, "-c", "\n".join(code))
    assert done.returncode == 0, done.stderr
    printed = [line for line in done.stdout.splitlines() if line]
    assert printed == [line for each in code for line in expected_lines(each)]


def test_the_sessions_of_the_guide_are_real(folder):
    (block,) = (each for each in documents.blocks(GUIDE) if each.info == "console")
    for session in block.code.removeprefix("$ ").split("\n$ "):
        command, _newline, output = session.partition("\n")
        _program, *arguments = shlex.split(command)
        done = call(folder, "-c", PROGRAM, *arguments)
        assert done.stdout.strip() == output.strip()


def test_the_toml_of_the_guide_says_what_its_yaml_says(folder):
    (block,) = (each for each in documents.blocks(GUIDE) if each.info == "toml")
    (folder / "support.toml").write_text(block.code, encoding="utf-8")
    code = """
from stageflow_actors import Pipeline
both = [Pipeline.from_file(f"support.{suffix}").get_stage("hear") for suffix in ("toml", "yaml")]
assert both[0] == both[1]
"""
    done = call(folder, "-c", code)
    assert done.returncode == 0, done.stderr
