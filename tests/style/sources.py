"""The source of this project, each file read, parsed and walked once for all rules about it."""

from __future__ import annotations

import ast
import gc
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = "stageflow_actors"

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Source:
    """One file below ``root``: its text and its syntax tree."""

    def __init__(self, path: Path, root: Path = ROOT) -> None:
        self.path = path
        self.name = path.relative_to(root).as_posix()

    def __repr__(self) -> str:
        return self.name

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        tree = ast.parse(self.text, self.name)
        gc.freeze()  # it stays: to look through all of them for garbage takes longer than to parse
        return tree

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of the tree: most rules ask for them."""
        return tuple(ast.walk(self.tree))

    @property
    def module(self) -> str:
        """Dotted name, as it is imported."""
        return self.name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def functions(self) -> Iterator[Function]:
        return (node for node in self.nodes if isinstance(node, Function))

    def imports(self) -> Iterator[str]:
        """Every module imported anywhere in the file, inside functions too."""
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module


Rule = Callable[[Source], Iterable[str]]
"""What is wrong with a file: nothing, as a rule."""


def offenders(sources: Iterable[Source], rule: Rule) -> list[str]:
    """Everything that is wrong by ``rule``, with the file it is in: ``path: what``."""
    return [f"{source.name}: {what}" for source in sources for what in rule(source)]


def _below(folder: str) -> list[Source]:
    return [Source(path) for path in sorted((ROOT / folder).rglob("*.py"))]


LIBRARY = _below(PACKAGE)
EXAMPLES = _below("examples") + _below("serve")
TESTS = _below("tests")
EVERYTHING = LIBRARY + EXAMPLES + TESTS
