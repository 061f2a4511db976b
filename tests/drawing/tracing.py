"""Reads a drawing of characters as a person does: along the lines, with the flow."""

from __future__ import annotations

import re

ARMS = {
    "─": "LR", "╌": "LR", "│": "UD", "╎": "UD", "╭": "DR", "╮": "DL", "╰": "UR", "╯": "UL",
    "├": "UDR", "┤": "UDL", "┬": "LRD", "┴": "LRU", "┼": "LRUD",
}  # fmt: skip
STEPS = {"L": (0, -1), "R": (0, 1), "U": (-1, 0), "D": (1, 0)}
BACK = {"L": "R", "R": "L", "U": "D", "D": "U"}
NAME = re.compile(r"[A-Za-z]\w*")


class Picture:
    def __init__(self, rows, forward):
        self.cells = {(r, c): char for r, row in enumerate(rows) for c, char in enumerate(row)}
        self.names = {
            match.group(): (r, match.start(), match.end() - 1)
            for r, row in enumerate(rows)
            for match in NAME.finditer(row)
        }
        self.forward = forward
        self.arrow = "▶" if forward == "R" else "▼"

    def edges(self):
        return {(name, target) for name in self.names for target in self.reached_from(name)}

    def reached_from(self, name):
        reached, seen, todo = set(), set(), self.starts(name)
        while todo:
            at, came_by = todo.pop()
            if (at, came_by) in seen:
                continue
            seen.add((at, came_by))
            char = self.cells.get(at, " ")
            if char == self.arrow:
                reached.add(self.target_of(at))
                continue
            arms = ARMS.get(char, "")
            if BACK[came_by] not in arms:  # a line that passes over this one
                assert arms, f"the line ends at {at}"
                todo.append((self.step(at, came_by), came_by))
                continue
            for way in arms:
                if way not in (BACK[came_by], BACK[self.forward]):
                    todo.append((self.step(at, way), way))
        return reached

    def step(self, at, way):
        return at[0] + STEPS[way][0], at[1] + STEPS[way][1]

    def starts(self, name):
        row, first, last = self.names[name]
        if self.forward == "R":
            char = self.cells.get((row, last + 2), " ")
            return [((row, last + 2), "R")] if char in ARMS else []
        span = self.span(row, first, last)
        below = [(row + 1, column) for column in span]
        return [(at, "D") for at in below if self.cells.get(at, " ") in {*ARMS, self.arrow}]

    def span(self, row, first, last):
        """The name with the line on both sides that its ports stand on."""
        while self.cells.get((row, first - 1)) == "─":
            first -= 1
        while self.cells.get((row, last + 1)) == "─":
            last += 1
        return range(first, last + 1)

    def target_of(self, arrow):
        row, column = arrow
        if self.forward == "D":
            for name, (r, first, last) in self.names.items():
                if r == row + 1 and column in self.span(r, first, last):
                    return name
        elif self.cells.get((row, column + 1)) == " ":
            return self.name_at(row, column + 2)
        else:
            return self.name_behind_bar(row, column + 1)
        raise AssertionError(f"the arrow at {arrow} points at nothing")

    def name_behind_bar(self, row, column):
        """The bar collects several arrows; one of its rows leads on to the name."""
        todo, seen = [row], set()
        while todo:
            r = todo.pop()
            seen.add(r)
            arms = ARMS.get(self.cells.get((r, column), " "), "")
            behind = [name for name, at in self.names.items() if at[:2] == (r, column + 2)]
            if behind and self.cells.get((r, column + 1)) == " ":
                return behind[0]
            todo += [r + d for d, way in ((-1, "U"), (1, "D")) if way in arms and r + d not in seen]
        raise AssertionError(f"the bar at {(row, column)} leads to no name")

    def name_at(self, row, column):
        return next(n for n, at in self.names.items() if at[0] == row and at[1] == column)
