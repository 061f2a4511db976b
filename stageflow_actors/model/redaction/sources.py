"""Which values are secret, and what was said: read off the environment, a stage and a run.

A walk looks at a bounded number of values: it is for what people write down, not for bulk data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from stageflow_actors.errors import describe_exception
from stageflow_actors.model.redaction.contents import Contents
from stageflow_actors.model.redaction.redactor import Redactor
from stageflow_actors.model.redaction.secrets import Forms, Secrets, forms_of
from stageflow_actors.model.redaction.stage_secrets import (
    Environ,
    StageSecrets,
    secrets_of_environ,
)
from stageflow_actors.model.redaction.walk import secrets_in, sentences_in

if TYPE_CHECKING:
    from stageflow_actors.model.context import RunContext
    from stageflow_actors.model.stage import StageSpec

_MOST_ERRORS = 20
_PATH_OF_A_FILE = r"[^\s/\\]*[/\\]\S*\.\w{1,5}"
"""Where something is, and not what somebody said: an error that does not name it helps nobody."""


def redactor_of_process(environ: Environ) -> Redactor:
    """For what belongs to no run: hides what the environment says is secret."""
    return Redactor(secrets_of_environ(environ))


def redactor_of_stage(spec: StageSpec | None, environ: Environ) -> Redactor:
    """For what a stage does outside of runs: hides what it is configured with, too."""
    return Redactor(Secrets(StageSecrets(spec).look(environ).find))


def redactor_of_run(
    ctx: RunContext,
    spec: StageSpec | None,
    environ: Environ,
    *,
    for_spans: bool = False,
    known: StageSecrets | None = None,
) -> Redactor:
    """For what tells of a run, or of a stage in it: hides what was said there, too.

    Unless the environment asks for that, in events or ``for_spans``. Who redacts for a stage again
    and again keeps what is ``known`` of it. Looks for nothing before there is a text that may hold
    it: ``ctx`` has to stay as it is meanwhile.
    """
    of_stage = (known or StageSecrets(spec)).look(environ)

    def find() -> Forms:
        return forms_of(secrets_in(_roots_of(ctx)), of_stage.find())

    capture, secrets, said = of_stage.capture, Secrets(find), Contents(lambda: _said_in(ctx))
    in_spans = Redactor(secrets, () if capture.in_spans else said)
    if for_spans or capture.in_spans is capture.in_events:
        return in_spans
    return Redactor(secrets, () if capture.in_events else said, in_spans)


def redactor_of_error(error: BaseException, environ: Environ) -> Redactor:
    """For what is told about the failure of a stage where nothing is known of its run: hides what
    the exception says, with its causes and notes.
    """
    return Redactor(secrets_of_environ(environ), _texts_of(error))


def _roots_of(ctx: RunContext) -> list[Any]:
    """Where a run may have secrets."""
    inputs = getattr(ctx, "inputs", None)
    ports = getattr(inputs, "ports", None) or getattr(ctx, "ports", None)
    return [
        dict(ports.items()) if ports is not None else None,
        ctx.data,
        ctx.snapshot.metadata,
        ctx.snapshot.extensions,
        *([output.data for output in inputs.outputs.values()] if inputs is not None else ()),
    ]


def _said_in(ctx: RunContext) -> Iterator[str]:
    """The input and the messages of the run, and the sentences in its data."""
    snapshot = ctx.snapshot
    if snapshot.input_text and not re.fullmatch(_PATH_OF_A_FILE, snapshot.input_text):
        yield snapshot.input_text
    for message in reversed(snapshot.messages):
        yield message.content
    yield from sentences_in(ctx.data)


def _texts_of(error: BaseException) -> Iterator[str]:
    todo: list[BaseException | None] = [error]
    seen: list[BaseException] = []
    for each in todo:  # grows meanwhile
        if each is None or any(each is other for other in seen) or len(seen) >= _MOST_ERRORS:
            continue
        seen.append(each)
        yield describe_exception(each)
        parts = (*each.args, *getattr(each, "__notes__", ()))
        yield from (part for part in parts if isinstance(part, str))
        todo += [each.__cause__, each.__context__]
        todo += each.exceptions if isinstance(each, BaseExceptionGroup) else ()
