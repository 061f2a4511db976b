"""What ``module:attribute`` and ``path/to/file.py:attribute`` name, and how such a text is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stageflow_actors.cli.failure import CommandError


@dataclass(frozen=True, slots=True)
class Target:
    """Where a pipeline is: in a module, or in a file if ``file`` is set.

    ``attribute`` may have dots; it is empty where none was given.
    """

    text: str
    module: str
    attribute: str
    file: Path | None = None


def parse_target(text: str) -> Target:
    """The target that ``text`` names.

    Raises:
        CommandError: it names no module, or something that cannot be one (``CLI-TARGET``).
    """
    place, colon, attribute = text.rpartition(":")
    if not colon or _is_drive(place):
        place, attribute = text, ""
    parts = attribute.split(".") if attribute else []
    if not place or not all(part.isidentifier() for part in parts):
        raise _unreadable(text)
    if place.endswith(".py") or "/" in place:
        file = Path(place)
        return Target(text, file.stem, attribute, file)
    if not all(part.isidentifier() for part in place.split(".")):
        raise _unreadable(text)
    return Target(text, place, attribute)


def _is_drive(place: str) -> bool:
    return len(place) == 1 and place.isalpha()


def _unreadable(text: str) -> CommandError:
    return CommandError(
        f"{text!r} does not name a pipeline.",
        hint="Write module:attribute, as in shop.support:pipeline, or path/to/file.py:attribute.",
        code="CLI-TARGET",
    )
