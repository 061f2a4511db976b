"""What changed between two JSON Schemas of the data of a stage: what breaks, what is worth knowing.

Two questions are asked at every place. Is data that followed the old schema still right under the
new one? And does a reader of the old one still find what it read? A change is **breaking** where
the answer is no:

- a field was removed, or a required one added, or an optional one became required;
- a type was narrowed (``str | None`` to ``str``, ``float`` to ``int``) or changed (``int`` to
  ``str``); a format (date-time, uuid, ...) is part of its type, and so is being a list, a set or a
  tuple of fixed length, in either direction: Python tells these apart;
- a value of an ``enum`` or ``Literal`` was removed;
- a bound, a length, a pattern or a step became tighter, or another;
- keys that are not declared were accepted and are refused now;
- a union is newly told apart by a key which the old data need not have;
- rules that are not understood here (``not``, ``if``, several ``allOf``, ...) are not the same.

It is a **warning** where data from before stays right, and a reader has to know of more:

- an optional field was added, or a required one became optional (reading it may find nothing);
- a type was widened (``str`` to ``str | None``, ``int`` to ``float``), a value added;
- a bound, a length, a pattern or a step became looser, or is gone;
- undeclared keys are accepted that were refused;
- a default changed.

Titles, descriptions and examples say nothing about data. Keys that the old schema did not declare
are no part of its data: a field added under such a name is an added field. A schema says nothing of
what validators do in Python, of keys of a dict that are numbers, of NaN; nor can this.

Schemas may refer to themselves. A place is compared as if the places below it were the same until
one of them is found to differ, over and over until nothing new is found: so the answer does not
depend on where the circle is entered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stageflow_actors.contracts.alternatives import Document
from stageflow_actors.contracts.matching import compare_pair
from stageflow_actors.contracts.members import Finding, Pair
from stageflow_actors.contracts.ranges import Change

_ROOT = "(root)"
_VISITS_LIMIT = 8
"""Paths under which the changes of one and the same definition are told."""


@dataclass(frozen=True, slots=True)
class SchemaChanges:
    """The changes as texts that begin with a path, as in ``words.*.start: ...``."""

    breaking: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def is_compatible(self) -> bool:
        """Whether nothing breaks."""
        return not self.breaking


def compare_schemas(old: Mapping[str, Any], new: Mapping[str, Any]) -> SchemaChanges:
    """What changed from ``old`` to ``new``. The rules stand at the top of this module."""
    told = _Comparison(Document(old), Document(new)).told(Pair(old, new))
    breaking = [_text(change) for change in told if change.is_breaking]
    warnings = [_text(change) for change in told if not change.is_breaking]
    return SchemaChanges(tuple(dict.fromkeys(breaking)), tuple(dict.fromkeys(warnings)))


def _text(change: Change) -> str:
    return f"{'.'.join(change.path) or _ROOT}: {change.text}"


Key = tuple[str, str]
"""A pair of schemas, by what they say."""


class _Comparison:
    """The pairs that two documents lead to, and which of them are known to break."""

    def __init__(self, old: Document, new: Document) -> None:
        self.old = old
        self.new = new
        self._breaking: set[Key] = set()
        self._visited: set[Key] = set()

    def told(self, root: Pair) -> list[Change]:
        """All changes, under each path that leads to them, those near the root first."""
        known = -1
        while known < len(self._breaking):
            known = len(self._breaking)
            self._visited = set()
            self.breaks(root)
        return self._collect(root)

    def breaks(self, pair: Pair) -> bool:
        """Whether ``pair`` is known to break by now; asks all below it once per round."""
        key = self._key(pair)
        if key not in self._visited:
            self._visited.add(key)
            finding = compare_pair(self, pair)
            if any(change.is_breaking for change in finding.changes) or any(
                self.breaks(each) for _path, each in finding.below
            ):
                self._breaking.add(key)
        return key in self._breaking

    def _key(self, pair: Pair) -> Key:
        return self.old.identity(pair.old), self.new.identity(pair.new)

    def _collect(self, root: Pair) -> list[Change]:
        """Breadth first. A pair below itself is not told again, nor under too many paths."""
        told: list[Change] = []
        findings: dict[Key, Finding] = {}
        visits: dict[Key, int] = {}
        queue: deque[tuple[tuple[str, ...], Pair, frozenset[Key]]] = deque(
            [((), root, frozenset())]
        )
        while queue:
            path, pair, above = queue.popleft()
            key = self._key(pair)
            visits[key] = visits.get(key, 0) + 1
            if key in above or visits[key] > _VISITS_LIMIT:
                continue
            if key not in findings:
                findings[key] = compare_pair(self, pair)
            told += [
                Change((*path, *change.path), change.text, change.is_breaking)
                for change in findings[key].changes
            ]
            queue += [((*path, *steps), each, above | {key}) for steps, each in findings[key].below]
        return told
