"""How a command ends when it cannot do its work: one screen, one exit code, never a traceback."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Any, TextIO

import typer
from rich.console import Console
from rich.text import Text

from stageflow_actors.drawing.labels import shown_lines
from stageflow_actors.errors import RuntimeFault, StageflowError, describe_exception


class ExitCode(IntEnum):
    """What the process says at its end."""

    OK = 0
    FAILED = 1
    UNUSABLE = 2
    CANCELLED = 3
    DEFECT = 70
    INTERRUPTED = 130


class CommandError(StageflowError, ValueError):
    """A command cannot work with what it was given; ``__cause__`` is what user code raised."""

    default_code = "CLI-INPUT"


@contextmanager
def reporting(*, with_traceback: bool = False, json_to: TextIO | None = None) -> Iterator[None]:
    """End the command on any error: its text goes to stderr, and its JSON form to ``json_to``."""
    try:
        yield
    except StageflowError as error:
        _report(error, with_traceback, json_to)
        code = ExitCode.FAILED if isinstance(error, RuntimeFault) else ExitCode.UNUSABLE
        raise typer.Exit(code) from None
    except KeyboardInterrupt:
        stderr_console().print("Interrupted.", style="yellow")
        if json_to is not None:
            json_to.write(json.dumps({"status": "cancelled", "reason": "interrupted"}) + "\n")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    except Exception as error:
        _report(_defect(error), with_traceback, json_to)
        raise typer.Exit(ExitCode.DEFECT) from None


def stderr_console() -> Console:
    """A console for what is not the output of the command."""
    return Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def screen(error: StageflowError, *, with_traceback: bool = False) -> Text:
    """What happened, what to do, the code; and on request where it was raised."""
    text = Text()
    text.append("error", style="bold red")
    text.append(f"  {shown_lines(error.message or describe_exception(error))}\n")
    if error.hint:
        text.append("  try", style="bold cyan")
        text.append(f"  {error.hint}\n")
    text.append(" code", style="dim")
    text.append(f"  {error.code}")
    if with_traceback:
        shown = error.__cause__ or error
        text.append("\n\n" + "".join(traceback.format_exception(shown)).rstrip())
    elif error.__cause__ is not None:
        text.append("\n       --traceback shows where it was raised.", style="dim")
    return text


def error_document(error: StageflowError) -> dict[str, Any]:
    """The JSON form of an error."""
    told = {"message": error.message, "hint": error.hint, "code": error.code}
    return {"status": "error", "error": told}


def _report(error: StageflowError, with_traceback: bool, json_to: TextIO | None) -> None:
    stderr_console().print(screen(error, with_traceback=with_traceback))
    if json_to is not None:
        json_to.write(json.dumps(error_document(error), indent=2) + "\n")


def _defect(error: Exception) -> StageflowError:
    defect = StageflowError(
        f"The command itself failed: {type(error).__name__}: {describe_exception(error)}",
        hint="This is a defect of stageflow-actors. Please report it, with --traceback.",
        code="CLI-DEFECT",
    )
    defect.__cause__ = error
    return defect
