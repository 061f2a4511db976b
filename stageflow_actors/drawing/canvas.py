"""``Canvas``: lines and words on a grid of characters."""

from __future__ import annotations

from dataclasses import dataclass, field

from stageflow_actors.drawing.labels import cells

UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8
_ACROSS = LEFT | RIGHT
_UPRIGHT = UP | DOWN

_SOLID = "─╵╷│╴╯╮┤╶╰╭├─┴┬┼"
"""By the sum of the arms that a piece of line has."""
_SIGNS = "─│╌╎▶▼…·░█╭╮╰╯├┤┬┴┼╴╶╵╷▓▒═→µ"
_IN_ASCII = "-|.:>v~.o#+++++++++--||xs=>u"

Cell = tuple[int, int]
"""Row and column."""


@dataclass(slots=True)
class Canvas:
    """Where lines of different nets meet, the one that goes up and down passes over the other."""

    _lines: dict[Cell, dict[int, tuple[int, bool]]] = field(default_factory=dict)
    _words: dict[Cell, str] = field(default_factory=dict)

    def line(self, net: int, start: Cell, end: Cell, *, is_dashed: bool) -> None:
        """A straight line, both ends included; lines of one ``net`` join where they meet."""
        (row, column), (last_row, last_column) = min(start, end), max(start, end)
        for r in range(row, last_row + 1):
            for c in range(column, last_column + 1):
                arms = UP * (r > row) | DOWN * (r < last_row)
                arms |= LEFT * (c > column) | RIGHT * (c < last_column)
                self._join((r, c), net, arms, is_dashed)

    def word(self, at: Cell, text: str) -> None:
        """``text`` from ``at`` to the right, over any lines."""
        row, column = at
        for char in text:
            self._words[row, column] = char
            for behind in range(1, cells(char)):
                self._words[row, column + behind] = ""
            column += cells(char)

    def rows(self, *, is_plain: bool = False) -> list[str]:
        """The picture; with ``is_plain`` in ASCII."""
        drawn = {at: _char(nets) for at, nets in self._lines.items()} | self._words
        height = max((row for row, _column in drawn), default=-1) + 1
        grid: list[dict[int, str]] = [{} for _ in range(height)]
        for (row, column), char in drawn.items():
            grid[row][column] = char
        rows = [
            "".join(row.get(column, " ") for column in range(max(row, default=-1) + 1)).rstrip()
            for row in grid
        ]
        return [plain(row) for row in rows] if is_plain else rows

    def _join(self, at: Cell, net: int, arms: int, is_dashed: bool) -> None:
        nets = self._lines.setdefault(at, {})
        known, was_dashed = nets.get(net, (0, True))
        nets[net] = known | arms, is_dashed and was_dashed


def plain(text: str) -> str:
    """``text`` with the characters of a picture written in ASCII."""
    return text.translate(str.maketrans(_SIGNS, _IN_ASCII))


def _char(nets: dict[int, tuple[int, bool]]) -> str:
    arms, is_dashed = max(nets.values(), key=_prominence)
    if is_dashed and arms in (_UPRIGHT, _ACROSS):
        return "╎" if arms == _UPRIGHT else "╌"
    return _SOLID[arms]


def _prominence(line: tuple[int, bool]) -> tuple[bool, int]:
    arms, _is_dashed = line
    return bool(arms & _UPRIGHT), arms.bit_count()
