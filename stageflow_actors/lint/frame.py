"""``Frame``: one function while it is being read, and what the names in it stand for."""

from __future__ import annotations

import builtins
from dataclasses import dataclass, field
from types import FunctionType

from stageflow_actors.lint.findings import Place
from stageflow_actors.lint.values import UNKNOWN, Values, joined, value_of

Names = dict[str, Values]


@dataclass(slots=True)
class Frame:
    """``function`` gives the globals; ``names`` what was assigned so far, or came in."""

    function: FunctionType
    file: str
    names: Names
    returned: list[Values] = field(default_factory=list)

    def look_up(self, name: str) -> Values:
        """What a name stands for: local, of an enclosing function, global or built in."""
        if name in self.names:
            return self.names[name]
        if name in self.function.__code__.co_varnames:
            return UNKNOWN  # not assigned yet where we are
        cells = dict(
            zip(self.function.__code__.co_freevars, self.function.__closure__ or (), strict=False)
        )
        try:
            if name in cells:
                return (value_of(cells[name].cell_contents),)
            if name in self.function.__globals__:
                return (value_of(self.function.__globals__[name]),)
            return (value_of(vars(builtins)[name]),)
        except (KeyError, ValueError):  # no such name, or an empty cell
            return UNKNOWN

    def assign(self, name: str, values: Values) -> None:
        """From here on the name stands for ``values``."""
        self.names[name] = values

    def place(self, line: int) -> Place:
        """A line of this function's file."""
        return Place(self.file, line)


def merged(one: Names, other: Names) -> Names:
    """What names stand for where two ways through a function meet."""
    return {
        name: joined(one.get(name, ()), other.get(name, ()))
        for name in dict.fromkeys([*one, *other])
    }
