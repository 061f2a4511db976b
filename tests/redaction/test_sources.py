"""What is known to be secret, and to have been said, in a process, a stage and a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from pydantic import BaseModel, SecretBytes, SecretStr

from stageflow_actors import (
    ContextSnapshot,
    Conversation,
    CorePorts,
    Message,
    PipelineContext,
    StageOutput,
    StageSpec,
)
from stageflow_actors.model.inputs import StageInputs
from stageflow_actors.model.redaction.capture import VARIABLE, MessageCapture
from stageflow_actors.model.redaction.sources import (
    redactor_of_error,
    redactor_of_process,
    redactor_of_run,
    redactor_of_stage,
    secrets_in,
)
from stageflow_actors.model.stage_context import StageContext
from stageflow_actors.model.timer import PipelineTimer

SAID = "a question that somebody has asked"
TOLD = "an answer that a model has given"


class Login(BaseModel):
    user: str = "a-long-user-name"
    phrase: SecretStr = SecretStr("a-phrase-of-a-model")


@dataclass
class Client:
    api_key: str = field(default="a-key-of-a-client", repr=False)
    host: str = "a-host-of-a-client"


class Slotted:
    __slots__ = ("password",)


class Odd:
    @property
    def __dict__(self):
        raise RuntimeError("look elsewhere")


def context(**snapshot):
    ports = CorePorts(llm=Client())
    inputs = StageInputs(
        ContextSnapshot(),
        {"login": StageOutput.ok(session_key="a-key-of-a-session", name="a-name-of-a-user")},
        ports=ports,
    )
    data = {"secret": "a-secret-in-data", "note": "a sentence in the data", "path": "/a/path/of/x"}
    made = ContextSnapshot(
        input_text=SAID,
        conversation=Conversation(messages=(Message(role="assistant", content=TOLD),)),
        metadata={"auth": {"bearer": ("a-bearer-of-a-run",)}, "login": Login()},
        **snapshot,
    )
    return StageContext(made, inputs, "ask", PipelineTimer(), data=data)


def spec_of(runner, **options):
    return StageSpec("ask", runner, "work", **options)


async def ask(ctx):
    return None


class Ask:
    def __init__(self, login=None, password=""):
        self.password = password

    async def execute(self, ctx):
        return None


@pytest.mark.parametrize(
    ("name", "value", "is_masked"),
    [
        ("OPENAI_API_KEY", "key-of-openai", True),
        ("DB_PASSWORD", "7chars!", False),
        ("DATABASE_URL", "postgres://bob:pass-of-bob@db/x", True),
        ("HOME", "/home/of/somebody", False),
        ("PWD", "/home/of/somebody", False),
        ("MAX_TOKENS", "100000000", False),
    ],
)
def test_a_value_of_the_environment_is_secret_by_its_name(name, value, is_masked):
    told = value.rpartition(":")[2].partition("@")[0]
    clean = redactor_of_process({name: value}).text(f"got {told}!")
    assert (clean == "got [redacted]!") is is_masked


@pytest.mark.parametrize(
    ("secret", "is_known"),
    [
        ("a-key-of-a-client", True),
        ("a-key-of-a-session", True),
        ("a-secret-in-data", True),
        ("a-bearer-of-a-run", True),
        ("a-phrase-of-a-model", True),
        ("a-phrase-of-a-config", True),
        ("a-token-of-a-config", True),
        ("a-host-of-a-client", False),
        ("a-name-of-a-user", False),
        ("a-long-user-name", False),
        ("/a/path/of/x", False),
    ],
)
def test_a_secret_is_found_wherever_a_stage_can_read_it(secret, is_known):
    login = Login(phrase=SecretStr("a-phrase-of-a-config"))
    config = {"login": login, "password": "a-token-of-a-config"}
    redactor = redactor_of_run(context(), spec_of(Ask, config=config), {})
    assert (redactor.text(f"<{secret}>") == "<[redacted]>") is is_known


def test_an_instance_as_a_stage_has_its_secrets_on_itself():
    redactor = redactor_of_stage(spec_of(Ask(password="a-password-on-itself")), {})
    assert redactor.text("a-password-on-itself") == "[redacted]"


@pytest.mark.parametrize("said", [SAID, TOLD, "a sentence in the data"])
@pytest.mark.parametrize(
    ("asked", "in_events", "in_spans"),
    [
        (None, False, False),
        ("", False, False),
        ("NO_CONTENT", False, False),
        ("true", False, False),
        ("SPAN_ONLY", False, True),
        ("EVENT_ONLY", True, False),
        (" span_and_event ", True, True),
    ],
)
def test_what_was_said_is_told_only_where_it_was_asked_for(said, asked, in_events, in_spans):
    environ = {} if asked is None else {VARIABLE: asked}
    for for_spans, is_told in ((False, in_events), (True, in_spans)):
        redactor = redactor_of_run(context(), None, environ, for_spans=for_spans)
        assert redactor.text(f"<{said}>") == (f"<{said}>" if is_told else "<[content]>")
        assert redactor.text("a-secret-in-data") == "[redacted]"


def test_the_variable_is_that_of_the_standard():
    assert VARIABLE == "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
    assert [*MessageCapture] == ["NO_CONTENT", "SPAN_ONLY", "EVENT_ONLY", "SPAN_AND_EVENT"]


def test_a_context_from_outside_has_the_same_secrets():
    ctx = PipelineContext(
        ContextSnapshot(input_text=SAID),
        data={"password": "a-secret-in-data"},
        ports=CorePorts(llm=Client()),
    )
    text = f"{SAID}, a-secret-in-data, a-key-of-a-client"
    assert redactor_of_run(ctx, None, {}).text(text) == "[content], [redacted], [redacted]"


def test_what_an_exception_and_its_causes_say_is_hidden_where_it_is_quoted():
    error = ExceptionGroup("several have failed", [ValueError("one that has failed")])
    error.__cause__ = KeyError("the cause of all")
    error.__cause__.__context__ = error
    error.add_note("a note about it")
    redactor = redactor_of_error(error, {})
    for said in (
        "several have failed",
        "one that has failed",
        "the cause of all",
        "a note about it",
    ):
        assert said not in redactor.text(f"cannot report: {said}")


def test_a_walk_ends_however_much_there_is_and_whatever_it_meets():
    around: list = [Odd(), Slotted(), SimpleNamespace(token=b"a-token-as-bytes"), ask, Ask, pytest]
    around += [
        around,
        {1: around},
        SecretBytes(b"bytes-of-a-secret"),
        {"password": [["in-a-list"]]},
    ]
    found = set(secrets_in([around, "x" * 100, range(10**9)]))
    assert found == {"a-token-as-bytes", "bytes-of-a-secret", "in-a-list"}
    assert len(list(secrets_in([{"password": ["a-password"] * 10**6}]))) < 10_000


@pytest.mark.parametrize(
    "path", ["/srv/rooms/question.wav", "recordings/one.wav", r"C:\rooms\q.wav"]
)
def test_the_path_of_a_file_is_not_what_somebody_said(path):
    ctx = PipelineContext(ContextSnapshot(input_text=path))
    assert redactor_of_run(ctx, None, {}).text(f"{path} cannot be read") == f"{path} cannot be read"


@pytest.mark.parametrize(
    "said", ["my pin is in /etc/pin.txt", "ada.lovelace@example.com", "and/or-whatever-it-is"]
)
def test_what_only_holds_a_path_or_looks_a_bit_like_one_is_hidden(said):
    ctx = PipelineContext(ContextSnapshot(input_text=said))
    assert said not in redactor_of_run(ctx, None, {}).text(f"I heard: {said}")
