"""The examples in the documents run, and print what their comments say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs import documents

ON_RAY = {"README.md", "docs/guides/running.md", "docs/guides/supervision.md"}
LOCAL_RAY = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
}


def with_marks(document: Path):
    name = documents.name_of(document)
    return pytest.param(document, id=name, marks=[pytest.mark.ray] if name in ON_RAY else [])


def run(document: Path, cwd: Path) -> str:
    on_ray = documents.name_of(document) in ON_RAY
    warnings = [] if on_ray else ["-W", "error"]
    forbidden = [] if on_ray else ["ray"]
    ran = subprocess.run(
        [sys.executable, *warnings, "-m", "tests.docs.run_examples", str(document), *forbidden],
        cwd=cwd,
        env={**os.environ, **LOCAL_RAY},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    return ran.stdout


@pytest.mark.parametrize("document", [with_marks(path) for path in documents.WITH_EXAMPLES])
def test_examples_of_a_document_run_and_print_what_their_comments_say(document, tmp_path, request):
    if documents.name_of(document) in ON_RAY:
        request.getfixturevalue("joined_ray")
    printed = run(document, tmp_path).splitlines()
    position = 0
    for expected in documents.expected_output(document):
        assert expected in printed[position:], f"{expected!r} is not next in {printed[position:]}"
        position = printed.index(expected, position) + 1


@pytest.mark.parametrize("document", documents.DOCUMENTS, ids=documents.name_of)
def test_python_blocks_are_run_unless_they_are_marked(document):
    infos = {block.info for block in documents.blocks(document)}
    assert not {info for info in infos if "py" in info} - {"python", "python no-run"}
    assert document in documents.WITH_EXAMPLES or "python" not in infos
