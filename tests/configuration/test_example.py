"""The example whose pipeline stands in a file answers questions."""

from __future__ import annotations

import subprocess
import sys

import pytest

from examples.configured import main
from tests.configuration.test_schema import EXAMPLE


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How do I reset my password?", "Open the sign-in page and follow 'Forgotten'."),
        ("I want a refund!", "Somebody will look at it: i want a refund!"),
        ("What is the meaning of it?", "Please ask at the counter."),
    ],
)
def test_the_help_desk_answers(question, answer):
    assert main.answer(question) == answer


def test_the_help_desk_answers_on_the_command_line():
    program = [sys.executable, "-m", "examples.configured.main", "I", "want", "a", "refund"]
    folder = EXAMPLE.parents[2]
    done = subprocess.run(program, capture_output=True, text=True, cwd=folder, check=True)
    assert done.stdout == "Somebody will look at it: i want a refund\n"


def test_an_operator_changes_the_help_desk_without_touching_it(monkeypatch):
    monkeypatch.setenv("STAGEFLOW_STAGES__LOOKUP__CONFIG__LEAST_WORDS", "9")
    monkeypatch.setenv("HELP_DESK_FALLBACK", "Please call us.")
    assert main.answer("How do I reset my password?") == "Please call us."
