"""The source of this project, parsed once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = "stageflow_actors"

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Source:
    """One file: its text and its syntax tree."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.relative_to(ROOT).as_posix()
        self.text = path.read_text(encoding="utf-8")

    def __repr__(self) -> str:
        return self.name

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.name)

    @property
    def module(self) -> str:
        """Dotted name, as it is imported."""
        return self.name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def functions(self) -> Iterator[Function]:
        return (node for node in ast.walk(self.tree) if isinstance(node, Function))

    def imports(self) -> Iterator[str]:
        """Every module imported anywhere in the file, inside functions too."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module


def _read(folder: str) -> list[Source]:
    return [Source(path) for path in sorted((ROOT / folder).rglob("*.py"))]


LIBRARY = _read(PACKAGE)
EXAMPLES = _read("examples") + _read("serve")
TESTS = _read("tests")
EVERYTHING = LIBRARY + EXAMPLES + TESTS
