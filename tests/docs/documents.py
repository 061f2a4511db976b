"""The documents of the project, and what the tests read in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")], key=lambda path: path.as_posix()
)
WITH_EXAMPLES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guides").glob("*.md"))]

_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
_EXPECTED = re.compile(
    r"^\s*print\(.*?\)  # (?P<same>.+)$|^\s*print\(.*\)\n\s*# (?P<next>.+)$", re.MULTILINE
)


class Block(NamedTuple):
    """A fenced block: its info string, the line its code starts at, and the code."""

    info: str
    line: int
    code: str


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(path: Path) -> list[Block]:
    text = path.read_text(encoding="utf-8")
    return [
        Block(match["info"].strip(), text.count("\n", 0, match.start()) + 2, match["code"])
        for match in _FENCE.finditer(text)
    ]


def prose(path: Path) -> str:
    """The text without its fenced blocks."""
    return _FENCE.sub("", path.read_text(encoding="utf-8"))


def examples(path: Path) -> list[Block]:
    return [block for block in blocks(path) if block.info == "python"]


def expected_output(path: Path) -> list[str]:
    """The comments behind ``print(...)``: the lines it has to print, in order."""
    return [
        match["same"] or match["next"]
        for block in examples(path)
        for match in _EXPECTED.finditer(block.code)
    ]


def table_rows(text: str) -> list[list[str]]:
    """The cells of every row of every table, without the heads."""
    rows: list[list[str]] = []
    for line in text.splitlines():
        if not line.startswith("|"):
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if set("".join(cells)) <= set("-: "):
            rows.pop()  # what stood above the rule was the head
        else:
            rows.append(cells)
    return rows


def code_spans(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def section(path: Path, name: str) -> str:
    """What stands between ``<!-- name -->`` and ``<!-- /name -->``."""
    text = path.read_text(encoding="utf-8")
    return text.partition(f"<!-- {name} -->")[2].partition(f"<!-- /{name} -->")[0]
