"""What names a pipeline: ``module:attribute``, ``file.py:attribute``, ``file.yaml:name``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stageflow_actors.cli.failure import CommandError
from stageflow_actors.configuration.places import SUFFIXES


@dataclass(frozen=True, slots=True)
class Target:
    """Where a pipeline is: in a module, or in a file if ``file`` is set.

    ``attribute`` may have dots; it is empty where none was given. In a file that ``is_declared`` it
    is the name of a pipeline, and ``module`` is empty.
    """

    text: str
    module: str
    attribute: str
    file: Path | None = None
    is_declared: bool = False


def parse_target(text: str) -> Target:
    """The target that ``text`` names.

    Raises:
        CommandError: it names no module, or something that cannot be one (``CLI-TARGET``).
    """
    place, colon, attribute = text.rpartition(":")
    if not colon or _is_drive(place):
        place, attribute = text, ""
    if place.lower().endswith(SUFFIXES):
        return Target(text, "", attribute, Path(place), is_declared=True)
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
        hint="Write module:attribute, as in shop.support:pipeline, path/to/file.py:attribute, or "
        "path/to/file.yaml.",
        code="CLI-TARGET",
    )
