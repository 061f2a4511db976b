"""What reading a stage brings to light."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from stageflow_actors.lint.findings import Place
from stageflow_actors.lint.values import UNKNOWN, Values, carries_inputs


class Read(NamedTuple):
    """An accessor called with the name of a stage; ``stages`` are the names it may have been.

    ``is_complete`` is false where it may have been others, which are computed.
    """

    accessor: str
    stages: tuple[str, ...]
    is_complete: bool
    place: Place


class Decision(NamedTuple):
    """A ``RoutingDecision`` that the stage makes; ``is_complete`` as for ``Read``."""

    selected: tuple[str, ...]
    fallback: tuple[str, ...]
    is_complete: bool
    place: Place


class Gap(NamedTuple):
    """Something that was not followed, or whose source was not found."""

    what: str
    place: Place | None


@dataclass(slots=True)
class Records:
    """Everything seen in one stage."""

    reads: list[Read] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    not_followed: list[Gap] = field(default_factory=list)
    no_source: list[Gap] = field(default_factory=list)


@dataclass(slots=True)
class Arguments:
    """What a call passes. ``is_complete`` is false with ``*args`` of unknown content."""

    positional: list[Values]
    keywords: dict[str, Values] = field(default_factory=dict)
    is_complete: bool = True

    def carry_inputs(self) -> bool:
        """Whether any of them gives access to the outputs of other stages."""
        return any(map(carries_inputs, (*self.positional, *self.keywords.values())))

    def at(self, position: int, name: str) -> Values | None:
        """The argument of one parameter; ``None`` if it is not given."""
        if position < len(self.positional):
            return self.positional[position]
        return self.keywords.get(name, None if self.is_complete else UNKNOWN)
