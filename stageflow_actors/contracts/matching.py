"""Two schemas side by side: which alternative of the new one takes over from each old one."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from stageflow_actors.contracts.alternatives import (
    ANYTHING,
    OPAQUE,
    VALUE,
    Alternative,
    Document,
    describe,
    shown,
)
from stageflow_actors.contracts.members import Finding, Pair, compare_alternatives, compare_tags


class Comparison(Protocol):
    """What the comparison of one pair has to know of the whole."""

    old: Document
    new: Document

    def breaks(self, pair: Pair) -> bool:
        """Whether ``pair`` is known to break."""


def compare_pair(comparison: Comparison, pair: Pair) -> Finding:
    """What changed from the old schema to the new one at this place, and the pairs below it."""
    olds = comparison.old.alternatives(pair.old)
    news = comparison.new.alternatives(pair.new)
    was_anything, is_anything = (
        any(each.kind == ANYTHING for each in side) for side in (olds, news)
    )
    if was_anything or is_anything:
        finding = Finding()
        if was_anything != is_anything:
            _note_type(finding, "narrowed" if was_anything else "widened", olds, news)
        return finding
    return _Matching(comparison, olds, news).finding()


def _note_type(
    finding: Finding, how: str, olds: list[Alternative], news: list[Alternative]
) -> None:
    before, after = describe(olds), describe(news)
    change = f"from {before} to {after}" if before != after else f"to other kinds of {after}"
    text = f"type {how} {change}"
    finding.note(text, is_breaking=how != "widened")


class _Successor(NamedTuple):
    alternative: Alternative
    finding: Finding
    is_breaking: bool
    distance: int


class _Matching:
    """The alternatives of both sides at one place."""

    def __init__(
        self, comparison: Comparison, olds: list[Alternative], news: list[Alternative]
    ) -> None:
        self._comparison = comparison
        self._olds = olds
        self._news = news

    def finding(self) -> Finding:
        finding = Finding()
        lost: list[Alternative] = []
        taken: list[Alternative] = []
        for old in self._olds:
            if old.kind == "boolean" and _lists_both(self._news):
                continue
            successor = self._successor(old)
            if successor is None:
                lost.append(old)
            else:
                finding.add(successor.finding)
                taken.append(successor.alternative)
        if not self._note_lost(finding, lost):
            self._note_gained(finding, taken)
        return finding

    def _successor(self, old: Alternative) -> _Successor | None:
        """What takes over from ``old``: what includes it, or else what it seems to have become."""
        found = []
        for new in self._news:
            if self._may_follow(old, new):
                inner = self._compare(old, new)
                finding = self._as_pair(old, new, inner)
                distance = len(inner.changes) + (not self._is_same_text(old, new))
                found.append(_Successor(new, finding, self._breaks(finding), distance))
        including = [each for each in found if not each.is_breaking]
        if including:
            return min(including, key=lambda each: each.distance)
        if old.kind in (VALUE, OPAQUE):
            return None
        namesakes = [each for each in found if old.title and each.alternative.title == old.title]
        is_alone = len(found) == 1 and sum(each.kind == old.kind for each in self._olds) == 1
        return next(iter(namesakes or (found if is_alone else ())), None)

    def _is_same_text(self, old: Alternative, new: Alternative) -> bool:
        before = self._comparison.old.identity(old.schema)
        return before == self._comparison.new.identity(new.schema)

    def _compare(self, old: Alternative, new: Alternative) -> Finding:
        return Finding() if old.kind in (VALUE, OPAQUE) else compare_alternatives(old, new)

    def _as_pair(self, old: Alternative, new: Alternative, inner: Finding) -> Finding:
        """A member of a union as a pair of its own where it is an object, else ``inner``.

        So a model that has itself in a union with ``None`` is known when it is met again.
        """
        if old.kind != "object" or len(self._olds) == len(self._news) == 1:
            return inner
        pair = Finding(below=[((), Pair(old.schema, new.schema))])
        compare_tags(pair, old, new)
        return pair

    def _may_follow(self, old: Alternative, new: Alternative) -> bool:
        if OPAQUE in (old.kind, new.kind):
            before = self._comparison.old.expanded(old.schema)
            return old.kind == new.kind and before == self._comparison.new.expanded(new.schema)
        if old.kind == VALUE:
            return _is_same(old.value, new.value) if new.kind == VALUE else fits(old.value, new)
        return _is_kind_of(old, new)

    def _breaks(self, finding: Finding) -> bool:
        below = [self._comparison.breaks(pair) for _path, pair in finding.below]
        return any(below) or any(change.is_breaking for change in finding.changes)

    def _note_lost(self, finding: Finding, lost: list[Alternative]) -> bool:
        """Note what nothing takes over; whether the type itself is another now."""
        listed = any(each.kind == VALUE for each in self._news)
        for each in lost:
            if each.kind == VALUE and listed:
                finding.note(f"value {shown(each.value)} removed", is_breaking=True)
        types = [each for each in lost if each.kind != VALUE or not listed]
        if types:
            is_part = len(types) < len(self._olds) or any(
                self._is_part_of(new, old) for new in self._news for old in types
            )
            _note_type(finding, "narrowed" if is_part else "changed", self._olds, self._news)
        return bool(types)

    def _note_gained(self, finding: Finding, taken: list[Alternative]) -> None:
        had_values = any(each.kind == VALUE for each in self._olds)
        gained = [
            new
            for new in self._news
            if not (new in taken and any(old.kind == new.kind for old in self._olds))
            and not any(self._is_part_of(new, old) for old in self._olds)
            and not (new.kind == "boolean" and _lists_both(self._olds))
        ]
        for each in gained:
            if each.kind == VALUE and had_values:
                finding.note(f"value {shown(each.value)} added", is_breaking=False)
        if any(each.kind != VALUE or not had_values for each in gained):
            _note_type(finding, "widened", self._olds, self._news)

    def _is_part_of(self, new: Alternative, old: Alternative) -> bool:
        """Whether ``new`` plainly is a part of ``old``: a value of a type, a whole number, a
        boolean.
        """
        if new.kind == VALUE:
            return _is_same(new.value, old.value) if old.kind == VALUE else fits(new.value, old)
        return (new.kind, old.kind) in (("integer", "number"), ("boolean", "boolean"))


def _lists_both(alternatives: list[Alternative]) -> bool:
    """Whether both values of a boolean are there, which are all that it has."""
    listed = [each.value for each in alternatives if each.kind == VALUE]
    return any(value is True for value in listed) and any(value is False for value in listed)


def fits(value: Any, alternative: Alternative) -> bool:
    """Whether a value of an enumeration surely is of the type: not so where that has a pattern."""
    typed = _type_of(value)
    if typed is None or not _is_kind_of(typed, alternative):
        return False
    changes = compare_alternatives(typed, alternative).changes
    return not any(change.is_breaking for change in changes)


def _is_kind_of(narrow: Alternative, wide: Alternative) -> bool:
    return narrow.kind == wide.kind or (narrow.kind, wide.kind) == ("integer", "number")


def _type_of(value: Any) -> Alternative | None:
    """The type that has ``value`` only."""
    if isinstance(value, bool):
        return Alternative("boolean", {})
    if isinstance(value, str):
        return Alternative("string", {"minLength": len(value), "maxLength": len(value)})
    if isinstance(value, int):
        only = {"minimum": value, "maximum": value, "multipleOf": abs(value)}
        return Alternative("integer", only)
    if isinstance(value, float):
        return Alternative("number", {"minimum": value, "maximum": value})
    return None


def _is_same(value: Any, other: Any) -> bool:
    """Equal and of one type: to JSON, ``1`` and ``true`` are two values."""
    return type(value) is type(other) and bool(value == other)
