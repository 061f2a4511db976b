"""Files that declare pipelines: their names, and where a value stands in one: path and line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stageflow_actors.drawing.labels import shown

YAML_SUFFIXES = (".yaml", ".yml", ".json")
"""JSON is YAML, too."""
TOML_SUFFIXES = (".toml",)
SUFFIXES = YAML_SUFFIXES + TOML_SUFFIXES
"""How the name of a file that declares pipelines ends."""

Path = tuple[str | int, ...]
"""Keys and indices, from the outermost in."""


@dataclass(frozen=True, slots=True)
class Document:
    """A file as plain data. ``lines`` has the line of each key and item, counted from 1.

    ``file`` is its path as it was given. No two parts of ``data`` are the same object.
    """

    file: str
    data: Any
    lines: Mapping[Path, int]

    def line_of(self, path: Path) -> int | None:
        """The line of what ``path`` leads to, or else of what it would be in."""
        for length in range(len(path), -1, -1):
            line = self.lines.get(path[:length])
            if line is not None:
                return line
        return None


def shown_path(path: Path) -> str:
    """``path`` as one text: ``stages.answer.dependencies.0``."""
    return shown(".".join(map(str, path)))
