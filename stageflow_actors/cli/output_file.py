"""A file that a command writes what it has made to."""

from __future__ import annotations

from pathlib import Path

from stageflow_actors.cli.failure import CommandError


def write_file(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8.

    Raises:
        CommandError: it cannot be written (``CLI-OUTPUT``).
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(
            f"{str(path)!r} cannot be written: {error.strerror}.",
            hint="Give a path in an existing folder that you may write to.",
            code="CLI-OUTPUT",
        ) from None
