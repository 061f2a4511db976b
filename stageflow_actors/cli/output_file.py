"""A file that a command writes what it has made to."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from stageflow_actors.cli.failure import CommandError

_CODE = "CLI-OUTPUT"

Named = TypeVar("Named")


def named_by_ending(path: Path, endings: Mapping[str, Named], otherwise: str = "") -> Named:
    """What ``endings`` has for the ending of the file's name, in whatever case.

    Raises:
        CommandError: it is none of them (``CLI-OUTPUT``); ``otherwise`` says what else would help.
    """
    found = endings.get(path.suffix.lower())
    if found is not None:
        return found
    told = f"ends in {path.suffix!r}" if path.suffix else "has no ending"
    known = ", ".join(filter(None, endings))
    raise CommandError(
        f"{str(path)!r} {told}, which names no format.",
        hint=f"Possible are: {known}.{otherwise and f' {otherwise}'}",
        code=_CODE,
    )


def refuse_source(path: Path, sources: Iterable[Path | int]) -> None:
    """Do not write over what the command reads: a file, by path or descriptor.

    Raises:
        CommandError: ``path`` is one of ``sources``, under whatever name (``CLI-OUTPUT``).
    """
    for source in sources:
        if _is_same(path, source):
            raise CommandError(
                f"{str(path)!r} would be written over, but the command reads it.",
                hint="Give the path of another file.",
                code=_CODE,
            )


def write_file(path: Path, text: str, sources: Iterable[Path | int] = ()) -> None:
    """Write ``text`` as UTF-8, but not over one of ``sources``.

    Raises:
        CommandError: it is one of them, or cannot be written (``CLI-OUTPUT``).
    """
    refuse_source(path, sources)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(
            f"{str(path)!r} cannot be written: {error.strerror}.",
            hint="Give a path in an existing folder that you may write to.",
            code=_CODE,
        ) from None


def _is_same(path: Path, source: Path | int) -> bool:
    try:
        found = os.fstat(source) if isinstance(source, int) else source.stat()
        return os.path.samestat(path.stat(), found)
    except (OSError, ValueError):  # one of them is not there
        return False
