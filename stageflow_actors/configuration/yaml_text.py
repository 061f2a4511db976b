"""YAML as plain data with lines: no objects, no key twice, nothing that grows out of bounds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from stageflow_actors.configuration.places import Path
from stageflow_actors.model.frozen import DEFAULT_MAX_DEPTH

MAX_VALUES = 100_000
"""Values of a document, those that aliases repeat included: a few lines can mean billions."""

_OF_YAML = "tag:yaml.org,2002:"
_MERGE = f"{_OF_YAML}merge"
_SCALARS = frozenset(
    _OF_YAML + kind for kind in ("str", "int", "float", "bool", "null", "timestamp", "binary")
)


class SyntaxProblem(NamedTuple):
    """Why a text cannot be read as it stands, and in which line."""

    message: str
    line: int | None
    hint: str = ""
    code: str = "CONFIG-SYNTAX"


class Reading(NamedTuple):
    """What a text says; ``problems`` may be there beside data."""

    data: Any
    lines: dict[Path, int]
    problems: list[SyntaxProblem]


def read_yaml(text: str) -> Reading:
    """The one document in ``text``. Keys are texts, as they are written; aliases are followed."""
    reader = _Reader()
    try:
        # The loader in C would recurse without a bound.
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = None if node is None else reader.read(node, ())
    except _UnreadableError as unreadable:
        return Reading(None, reader.lines, [*reader.problems, unreadable.problem])
    except yaml.MarkedYAMLError as error:
        return Reading(None, {}, [_of_syntax(error)])
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        return Reading(
            None,
            {},
            [SyntaxProblem(f"has a character that YAML forbids: {chr(error.character)!a}.", line)],
        )
    except RecursionError:
        return Reading(None, {}, [_too_deep(None)])
    return Reading(data, reader.lines, reader.problems)


class _UnreadableError(Exception):
    """Reading cannot go on."""

    def __init__(self, problem: SyntaxProblem) -> None:
        self.problem = problem


class _Reader:
    """One pass over the nodes of a document."""

    def __init__(self) -> None:
        self.lines: dict[Path, int] = {(): 1}
        self.problems: list[SyntaxProblem] = []
        self._values = 0
        self._scalars = yaml.constructor.SafeConstructor()

    def read(self, node: yaml.Node, path: Path) -> Any:
        self._count(node, len(path), 1)
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_OF_YAML}map":
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_OF_YAML}seq":
            return self._sequence(node, path)
        if isinstance(node, yaml.ScalarNode) and node.tag in _SCALARS:
            return self._scalar(node)
        message = f"has the tag '{node.tag.removeprefix(_OF_YAML)}', which is not supported."
        hint = "Plain texts, numbers, booleans, dates, lists and mappings are."
        self.problems.append(SyntaxProblem(message, _line_of(node), hint))
        return None

    def _count(self, node: yaml.Node, depth: int, values: int) -> None:
        self._values += values
        if self._values > MAX_VALUES:
            message = f"has more than {MAX_VALUES:,} values, with those that aliases repeat."
            raise _UnreadableError(SyntaxProblem(message, _line_of(node), "Split the file."))
        if depth > DEFAULT_MAX_DEPTH:  # an alias may be inside what it stands for, too
            raise _UnreadableError(_too_deep(_line_of(node)))

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for name, (key, value) in self._entries(node, 0).items():
            self.lines[*path, name] = _line_of(key)
            data[name] = self.read(value, (*path, name))
        return data

    def _entries(
        self, node: yaml.MappingNode, depth: int
    ) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """By name; those of ``<<`` come first, and give way to the mapping's own."""
        self._count(node, depth, len(node.value))
        own: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        merged: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                message = "has a key that is a list or a mapping."
                self.problems.append(SyntaxProblem(message, _line_of(key), "Keys are texts."))
            elif key.tag == _MERGE:
                for source in self._sources(value):
                    entries = self._entries(source, depth + 1)
                    self._count(source, depth, len(entries))
                    merged = {**entries, **merged}
            elif key.value in own:
                first = _line_of(own[key.value][0])
                message = f"has the key '{key.value}' twice; the first is in line {first}."
                twice = SyntaxProblem(message, _line_of(key), "Remove one.", "CONFIG-KEY")
                self.problems.append(twice)
            else:
                own[key.value] = key, value
        return {**merged, **own}

    def _sources(self, node: yaml.Node) -> Iterator[yaml.MappingNode]:
        given = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for each in given:
            if isinstance(each, yaml.MappingNode):
                yield each
            else:
                message = "merges ('<<') what is no mapping."
                self.problems.append(SyntaxProblem(message, _line_of(each)))

    def _sequence(self, node: yaml.SequenceNode, path: Path) -> list[Any]:
        items = []
        for index, each in enumerate(node.value):
            self.lines[*path, index] = _line_of(each)
            items.append(self.read(each, (*path, index)))
        return items

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        try:
            return self._scalars.construct_object(node)
        except (yaml.YAMLError, ValueError, OverflowError):
            kind = node.tag.removeprefix(_OF_YAML)
            message = f"has {node.value!r:.60}, which is no {kind}."
            hint = "Put quotes around it if it is a text."
            self.problems.append(SyntaxProblem(message, _line_of(node), hint))
            return None


def _line_of(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _too_deep(line: int | None) -> SyntaxProblem:
    message = f"is nested deeper than {DEFAULT_MAX_DEPTH} levels, or contains itself."
    return SyntaxProblem(message, line, "Flatten it.")


def _of_syntax(error: yaml.MarkedYAMLError) -> SyntaxProblem:
    mark = error.problem_mark or error.context_mark
    told = ", ".join(part for part in (error.context, error.problem) if part)
    return SyntaxProblem(f"is no YAML: {told}.", None if mark is None else mark.line + 1)
