"""Collects all problems of one file, each with its place."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from stageflow_actors.configuration.places import Document, Path, shown_path
from stageflow_actors.configuration.shown import MASKED, is_secret, shown_value
from stageflow_actors.drawing.labels import shown
from stageflow_actors.errors import ConfigurationError, ConfigurationProblem


class Report:
    """The problems of ``document`` so far.

    ``variables`` has the environment variable behind a path, ``texts`` what the file says where a
    variable was filled in: that is shown instead of its value.
    """

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[ConfigurationProblem] = []
        self.variables: dict[Path, str] = {}
        self.texts: dict[Path, str] = {}

    def add(
        self, path: Path, message: str, *, code: str, hint: str = "", line: int | None = None
    ) -> None:
        """Note that something is wrong at ``path``."""
        self._add(path, message, "", hint, code, line)

    def refuse(self, path: Path, message: str, value: Any, *, code: str, hint: str = "") -> None:
        """Note that ``value`` is wrong at ``path``."""
        text = self.texts.get(path)
        if text is None:
            shown = shown_value(path, value)
        else:
            shown = MASKED if is_secret(path) else repr(text)
        self._add(path, f"{message}, got {shown}.", shown, hint, code, None)

    def is_clean_below(self, path: Path) -> bool:
        """Whether nothing is wrong at ``path``, nor anywhere in it."""
        prefix = shown_path(path)
        return not any(
            not path or problem.path == prefix or problem.path.startswith(f"{prefix}.")
            for problem in self.problems
        )

    def check(self) -> None:
        """Go on only where nothing is wrong.

        Raises:
            ConfigurationError: something is; it has all of it.
        """
        if self.problems:
            found = sorted(dict.fromkeys(self.problems), key=lambda each: each.line or 0)
            raise ConfigurationError(self.document.file, found)

    def _add(
        self, path: Path, message: str, value: str, hint: str, code: str, line: int | None
    ) -> None:
        self.problems.append(
            ConfigurationProblem(
                message=shown(message),
                file=self.document.file,
                line=line or self.document.line_of(path),
                path=shown_path(path),
                hint=shown(hint),
                code=code,
                value=value,
                variable=self._variable_of(path),
            )
        )

    def _variable_of(self, path: Path) -> str:
        for length in range(len(path), 0, -1):
            variable = self.variables.get(path[:length])
            if variable is not None:
                return variable
        return ""


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """A hint with the name that was probably meant."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"Did you mean '{near[0]}'?" if near else otherwise


def part_of(data: Any, path: Path) -> Any:
    """What stands at ``path`` in ``data``; ``None`` where nothing does."""
    for step in path:
        is_there = isinstance(data, Mapping) and step in data
        is_item = isinstance(data, list) and isinstance(step, int) and step < len(data)
        if not is_there and not is_item:
            return None
        data = data[step]
    return data
