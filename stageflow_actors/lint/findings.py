"""``Finding``: one thing that the check of a pipeline has to say."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Rule(StrEnum):
    """What was checked. Stable names, for people and for ``--ignore``."""

    EMPTY = "empty"
    CYCLE = "cycle"
    UNKNOWN_STAGE = "unknown-stage"
    ISOLATED_STAGE = "isolated-stage"
    UNDECLARED_READ = "undeclared-read"
    UNKNOWN_ROUTE = "unknown-route"
    NOT_BUILDABLE = "not-buildable"
    UNREACHABLE_ROUTE = "unreachable-route"
    NO_DECISION = "no-decision"
    COMPUTED_NAME = "computed-name"
    NOT_FOLLOWED = "not-followed"
    NO_SOURCE = "no-source"


class Place(NamedTuple):
    """A line of a file."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Finding:
    """A mistake, or (``is_note``) something that could not be checked or may be intended."""

    rule: Rule
    stage: str
    message: str
    hint: str = ""
    place: Place | None = None
    is_note: bool = False
