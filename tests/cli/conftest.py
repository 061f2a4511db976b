"""The program, called in this process, in a folder of its own."""

from __future__ import annotations

import re
import sys
import textwrap

import pytest
from typer.testing import CliRunner

import stageflow_actors
from stageflow_actors.cli.app import make_app


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current directory; what is imported from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        module = sys.modules[name]
        if str(tmp_path) in f"{getattr(module, '__file__', '')}{getattr(module, '__path__', '')}":
            del sys.modules[name]


@pytest.fixture
def write(folder):
    """Writes a module, ``shop.py`` unless it is named, that has imported what it names.

    With everything it would have imported Ray, in each process that loads it.
    """

    def write_module(source, name="shop.py"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        named = set(re.findall(r"\w+", source)) & {*stageflow_actors.__all__}
        first = f"from stageflow_actors import {', '.join(sorted(named))}" if named else ""
        path.write_text(f"{first}\n{textwrap.dedent(source)}", encoding="utf-8")
        return path

    return write_module


@pytest.fixture
def call(folder):
    """Runs the program with these arguments; the result has exit_code, stdout and stderr."""

    def call_program(*arguments, **options):
        return CliRunner().invoke(make_app(), [str(each) for each in arguments], **options)

    return call_program
