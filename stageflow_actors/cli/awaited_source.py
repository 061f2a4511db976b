"""A source of events that somebody follows before its file is there."""

from __future__ import annotations

import time
from pathlib import Path

from stageflow_actors.cli.event_sources import STDIN, EventSource, open_source
from stageflow_actors.cli.failure import CommandError, stderr_console
from stageflow_actors.drawing.labels import shown

LOOK_EVERY_S = 0.1
_MOST_FAILURES = 50
"""Looks at a file that was just begun: a database is there some time before its table is."""


def open_when_there(place: str) -> EventSource:
    """The source at ``place``, as soon as it has something in it; stderr says once that it waits.

    Raises:
        CommandError: it is there, and cannot be read (``CLI-EVENTS``).
    """
    if place == STDIN or _size(place) is not None:
        return open_source(place)
    stderr_console().print(f"Waiting for {shown(place)} ...")
    failures = 0
    while True:
        if _size(place):  # an empty file does not yet say whether it becomes a database
            try:
                return open_source(place)
            except CommandError:
                failures += 1
                if failures == _MOST_FAILURES:
                    raise
        time.sleep(LOOK_EVERY_S)


def _size(place: str) -> int | None:
    """``None``: there is no such file. What else is wrong with it is told when it is opened."""
    try:
        return Path(place).stat().st_size
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return 1
