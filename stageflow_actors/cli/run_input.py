"""What a run starts with, from ``--text``, ``--file`` and ``--input``."""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from stageflow_actors.cli.failure import CommandError
from stageflow_actors.model.identity import RunIdentity
from stageflow_actors.model.pipeline_context import PipelineContext
from stageflow_actors.model.snapshot import ContextSnapshot


def context_of(text: str | None, file: str | None, parts: str | None) -> PipelineContext:
    """The context of the run: ``parts`` with the text, or the text of the file, as its input text.

    Raises:
        CommandError: two of them give the input text, or one cannot be read (``CLI-INPUT``).
        InvalidRunInputError: a part cannot be used (``RUN-INPUT``).
    """
    given = {} if parts is None else _parts(parts)
    texts = {"--text": text, "--file": file, "--input": given.get("input_text")}
    sources = [option for option, value in texts.items() if value is not None]
    if len(sources) > 1:
        raise _unusable(
            f"The input text is given {len(sources)} times: by {' and '.join(sources)}.",
            "Give it once.",
        )
    if text is not None:
        given["input_text"] = text
    if file is not None:
        given["input_text"] = _read(file, "--file")
    return PipelineContext.create(**given)


def files_of_input(file: str | None, parts: str | None) -> Iterator[Path]:
    """The files that ``context_of`` reads for these."""
    if file not in (None, "-"):
        yield Path(str(file))
    if parts is not None and parts.startswith("@"):
        yield Path(parts[1:])


def _parts(text: str) -> dict[str, Any]:
    source = _read(text[1:], "--input") if text.startswith("@") else text
    try:
        given = json.loads(source)
    except ValueError as error:
        raise _unusable(
            f"--input is no JSON: {error}.",
            """Write an object, as in --input '{"input_text": "Hi"}', or @ and a path.""",
        ) from None
    if not isinstance(given, dict):
        raise _unusable(
            f"--input is a JSON {type(given).__name__}, not an object.",
            """Write the parts of a run: --input '{"input_text": "Hi", "metadata": {}}'.""",
        )
    known = _known_parts()
    for part in given:
        if part not in known:
            near = difflib.get_close_matches(part, known, n=1)
            hint = f"Did you mean '{near[0]}'?" if near else f"There are: {', '.join(known)}."
            raise _unusable(f"A run has no part '{part}'.", hint)
    if "correlation_id" in given:
        given["correlation_id"] = _uuid(given["correlation_id"])
    return given


def _known_parts() -> list[str]:
    fields = [*ContextSnapshot.model_fields, *RunIdentity.model_fields, "correlation_id", "data"]
    return [field for field in fields if field != "run_id"]


def _uuid(value: object) -> UUID | None:
    try:
        return None if value is None else UUID(str(value))
    except ValueError:
        raise _unusable(f"correlation_id is no UUID: {value!r}.", "Give a UUID.") from None


def _read(path: str, option: str) -> str:
    """The text of the file; of standard input for ``-``."""
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise _unusable(
            f"{option}: {path!r} cannot be read: {error.strerror}.", "Give the path of a file."
        ) from None
    except UnicodeDecodeError as error:
        raise _unusable(
            f"{option}: {path!r} is no UTF-8 text (byte {error.start}).",
            "Convert it to UTF-8.",
        ) from None


def _unusable(message: str, hint: str) -> CommandError:
    return CommandError(message, hint=hint)
