"""What is kept of a stage between its executions: nothing that has changed meanwhile."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from stageflow_actors import ContextSnapshot, PipelineContext, StageSpec
from stageflow_actors.model.redaction import sources, stage_secrets
from stageflow_actors.model.redaction.capture import VARIABLE
from stageflow_actors.model.redaction.sources import redactor_of_run
from stageflow_actors.model.redaction.stage_secrets import StageSecrets

NAME = "ANOTHER_API_KEY"


class Ask:
    kind = "work"

    def __init__(self) -> None:
        self.client = SimpleNamespace(host="a-host", token="a-token-of-a-client")

    async def execute(self, ctx):
        return None


@pytest.fixture
def spec():
    return StageSpec("ask", Ask(), "work")


@pytest.fixture
def redactor(spec):
    """Makes the redactor of a run, each time with what is known of the stage."""
    known, ctx = StageSecrets(spec), PipelineContext(ContextSnapshot(input_text="what was said?"))
    return lambda: redactor_of_run(ctx, spec, os.environ, known=known)


def test_a_variable_counts_from_when_it_is_set_to_when_it_is_not(redactor, monkeypatch):
    assert redactor().text("first-of-all") == "first-of-all"
    for value in ("first-of-all", "second-of-all"):
        monkeypatch.setenv(NAME, value)
        assert redactor().text(value) == "[redacted]"
    assert redactor().text("first-of-all") == "first-of-all"
    monkeypatch.delenv(NAME)
    assert redactor().text("second-of-all") == "second-of-all"


def test_the_switch_for_contents_counts_from_when_it_is_set(redactor, monkeypatch):
    for asked, told in (("", "[content]"), ("EVENT_ONLY", "what was said?"), ("", "[content]")):
        monkeypatch.setenv(VARIABLE, asked)
        assert redactor().text("what was said?") == told


def test_what_a_stage_holds_counts_as_it_is_now(redactor, spec):
    assert redactor().text("a-token-of-a-client") == "[redacted]"
    spec.runner.client.token = "a-token-of-another"
    assert redactor().text("a-token-of-another") == "[redacted]"
    assert redactor().text("a-token-of-a-client") == "a-token-of-a-client"


def test_an_environment_that_stays_is_read_once(redactor, monkeypatch):
    read = []
    find = stage_secrets.secrets_of_environ
    monkeypatch.setattr(
        stage_secrets, "secrets_of_environ", lambda environ: read.append(1) or find(environ)
    )
    for _run in range(3):
        redactor().text("a text that is long enough")
    assert len(read) == 1
    monkeypatch.setenv("OF_NO_INTEREST", "but it is another environment")
    redactor()
    assert len(read) == 2


def test_nothing_is_looked_for_while_there_are_numbers_and_short_labels_only(monkeypatch, redactor):
    looked = []
    monkeypatch.setattr(sources, "secrets_in", lambda roots: looked.append(1) or [])
    monkeypatch.setattr(sources, "_said_in", lambda ctx: looked.append(1) or [])
    event = {"query": "abc", "hits": 12, "is_good": True, "scores": [0.5, None]}
    made = redactor()
    assert made.data(event) is event
    assert made.text("chosen") == "chosen"
    assert looked == []
    made.text("a text that is long enough")
    assert looked == [1, 1]


def test_what_could_not_be_looked_for_is_looked_for_again(monkeypatch, redactor):
    monkeypatch.setattr(sources, "_roots_of", lambda ctx: 1 / 0)
    made = redactor()
    for _time in range(2):
        with pytest.raises(ZeroDivisionError):
            made.text("a-token-of-a-client")
