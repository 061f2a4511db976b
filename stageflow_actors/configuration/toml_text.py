"""TOML as plain data. ``tomllib`` tells no lines: a second look at the text finds them."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left

from stageflow_actors.configuration.places import Path
from stageflow_actors.configuration.yaml_text import Reading, SyntaxProblem

_LINE_IN_MESSAGE = r"\(at line (\d+)"
_KEY = r"""[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*'"""
_STRING = (
    r'"""(?s:.*?)(?<!\\)(?:\\\\)*"{3,5}|'
    r"'''(?s:.*?)'{3,5}|"
    r'"(?:[^"\\\n]|\\.)*"|'
    r"'[^'\n]*'"
)
_SPACE = r"(?:[ \t\r\n]|#[^\n]*)*"


def read_toml(text: str) -> Reading:
    """What ``text`` says, with the lines of keys, tables and items of arrays."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(_LINE_IN_MESSAGE, str(error))
        at_its_end = text.rstrip().count("\n") + 1
        line = int(found[1]) if found else at_its_end
        told = re.sub(r" \(at .*\)$", "", str(error))
        return Reading(None, {}, [SyntaxProblem(f"is no TOML: {told}.", line)])
    except RecursionError:
        return Reading(None, {}, [SyntaxProblem("is nested too deep.", None, "Flatten it.")])
    return Reading(data, _Scan(text).lines(), [])


class _Scan:
    """One pass over a text that is known to be TOML."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line_ends = [at for at, sign in enumerate(text) if sign == "\n"]
        self._found: dict[Path, int] = {(): 1}
        self._tables: dict[Path, int] = {}
        """The index of the newest table in each array of tables."""

    def lines(self) -> dict[Path, int]:
        table: Path = ()
        while True:
            self._take(_SPACE)
            if self._at >= len(self._text):
                return self._found
            if self._text[self._at] == "[":
                table = self._header()
            else:
                line = self._line()
                path = table
                for key in self._keys():
                    path = (*path, key)
                    self._found.setdefault(path, line)
                self._take(r"[ \t]*=[ \t]*")
                self._value(path)

    def _header(self) -> Path:
        line = self._line()
        is_array = self._text.startswith("[[", self._at)
        self._take(r"\[\[?[ \t]*")
        path: Path = ()
        keys = self._keys()
        for position, key in enumerate(keys):
            path = (*path, key)
            self._found.setdefault(path, line)
            if is_array and position == len(keys) - 1:
                self._tables[path] = self._tables.get(path, -1) + 1
            if path in self._tables:
                path = (*path, self._tables[path])
                self._found.setdefault(path, line)
        self._take(r"[ \t]*\]\]?")
        return path

    def _keys(self) -> list[str]:
        """Those of a dotted key."""
        keys = []
        while True:
            found = self._take(_KEY)
            is_quoted = found[:1] in ("'", '"')
            keys.append(str(tomllib.loads(f"key = {found}")["key"]) if is_quoted else found)
            if not self._take(r"[ \t]*\.[ \t]*"):
                return keys

    def _value(self, path: Path) -> None:
        """Step over a value; the items of an array get lines of their own."""
        depth, index = 0, -1
        is_array = self._text[self._at : self._at + 1] == "["
        is_item_next = False
        while self._at < len(self._text):
            sign = self._text[self._at]
            if depth == 0 and sign == "\n":
                return
            if sign == "#":
                self._take(r"#[^\n]*")
                continue
            if is_item_next and sign not in " \t\r\n]":
                index += 1
                self._found[*path, index] = self._line()
                is_item_next = False
            if self._take(_STRING):
                continue
            depth += (sign in "[{") - (sign in "]}")
            is_item_next = is_item_next or (is_array and depth == 1 and sign in "[,")
            self._at += 1

    def _line(self) -> int:
        return bisect_left(self._line_ends, self._at) + 1

    def _take(self, pattern: str) -> str:
        found = re.compile(pattern).match(self._text, self._at)
        if found is None:
            return ""
        self._at = found.end()
        return found[0]
