"""The files that a command reads a pipeline or recorded events from."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from io import UnsupportedOperation
from itertools import count
from pathlib import Path

from stageflow_actors.cli.event_sources import STDIN
from stageflow_actors.cli.target import parse_target


def files_of_pipeline(text: str) -> Iterator[Path]:
    """The file that the target ``text`` names, and those of all modules that are loaded by now."""
    file = parse_target(text).file
    if file is not None:
        yield file
    for module in list(sys.modules.values()):
        place = getattr(module, "__dict__", {}).get("__file__")
        if isinstance(place, str):
            yield Path(place)


def files_of_events(place: str) -> Iterator[Path | int]:
    """The recording at ``place``, its rotated parts, and what SQLite keeps beside a database.

    Standard input is the descriptor of what it was redirected from, if it has one.
    """
    if place == STDIN:
        try:
            yield sys.stdin.fileno()
        except (AttributeError, UnsupportedOperation):
            return
        return
    yield Path(place)
    yield from (Path(f"{place}{kept}") for kept in ("-wal", "-shm", "-journal"))
    for number in count(1):
        part = Path(f"{place}.{number}")
        if not part.exists():
            return
        yield part
