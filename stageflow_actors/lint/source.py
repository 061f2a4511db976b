"""From a function that exists to its syntax tree."""

from __future__ import annotations

import ast
import linecache
from types import CodeType, FunctionType
from typing import NamedTuple

Node = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


class Source(NamedTuple):
    """A function as written."""

    file: str
    node: Node


class Sources:
    """Reads each file once."""

    def __init__(self) -> None:
        self._nodes: dict[str, dict[tuple[int, str], list[Node]]] = {}

    def of(self, function: FunctionType) -> Source | None:
        """The source of ``function``; ``None`` if there is none, or it cannot be told which."""
        code = function.__code__
        nodes = self._in_file(function).get((code.co_firstlineno, code.co_name), [])
        nodes = [node for node in nodes if _parameters(node) == _parameters_of_code(code)]
        return Source(code.co_filename, nodes[0]) if len(nodes) == 1 else None

    def _in_file(self, function: FunctionType) -> dict[tuple[int, str], list[Node]]:
        file = function.__code__.co_filename
        if file not in self._nodes:
            lines = linecache.getlines(file, function.__globals__)
            self._nodes[file] = _functions_in("".join(lines))
        return self._nodes[file]


def _functions_in(text: str) -> dict[tuple[int, str], list[Node]]:
    """Functions by first line, which may be that of a decorator, and name."""
    found: dict[tuple[int, str], list[Node]] = {}
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return found
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda):
            found.setdefault((node.lineno, "<lambda>"), []).append(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            found.setdefault((first, node.name), []).append(node)
    return found


def _parameters(node: Node) -> list[str]:
    arguments = node.args
    return [each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]


def _parameters_of_code(code: CodeType) -> list[str]:
    return list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
