"""What may change inside an alternative: its bounds, its items, its fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from stageflow_actors.contracts.alternatives import Alternative, Schema, shown
from stageflow_actors.contracts.ranges import Change, compare_bounds

_ITEM = "*"
"""The step to any item of an array, or to any value of a mapping."""

_KEY = "<key>"
_NO_DEFAULT = object()


class Pair(NamedTuple):
    """A part of the old schema, and what stands in its place in the new one."""

    old: Schema
    new: Schema


@dataclass(slots=True)
class Finding:
    """What was found at one pair: changes, and the pairs below it with the steps to each."""

    changes: list[Change] = field(default_factory=list)
    below: list[tuple[tuple[str, ...], Pair]] = field(default_factory=list)

    def note(self, text: str, *, is_breaking: bool, at: str | None = None) -> None:
        """Add a change, here or one step below."""
        self.changes.append(Change(() if at is None else (at,), text, is_breaking))

    def look_into(self, step: str, old: Schema, new: Schema) -> None:
        """Add a pair one step below."""
        self.below.append(((step,), Pair(old, new)))

    def add(self, other: Finding) -> None:
        """Take over what ``other`` has."""
        self.changes += other.changes
        self.below += other.below


def compare_alternatives(old: Alternative, new: Alternative) -> Finding:
    """What changed where ``new`` takes over from ``old``, which is of the same kind or narrower."""
    finding = Finding([*compare_bounds(old, new)])
    _compare_patterns(finding, old.rule("pattern"), new.rule("pattern"))
    if old.kind == "object":
        compare_tags(finding, old, new)
        _compare_fields(finding, old, new)
        _compare_keys(finding, old, new)
        _compare_undeclared(finding, old, new)
    elif old.kind == "tuple":
        _compare_positions(finding, old, new)
    elif old.kind in ("array", "set"):
        finding.look_into(_ITEM, _or_anything(old, "items"), _or_anything(new, "items"))
    return finding


def compare_tags(finding: Finding, old: Alternative, new: Alternative) -> None:
    """Keys that tell the members of the new union apart, and that old data may not have."""
    for name in sorted(new.tags - old.tags - {*(old.rule("required") or ())}):
        finding.note("needed now, to tell a union apart", is_breaking=True, at=name)


def _compare_patterns(finding: Finding, before: Any, after: Any) -> None:
    if before != after:
        how = "looser" if after is None else "another"
        text = f"{how} pattern: {before or 'none'} -> {after or 'none'}"
        finding.note(text, is_breaking=after is not None)


def _compare_positions(finding: Finding, old: Alternative, new: Alternative) -> None:
    """Position by position, as far as the old tuple can reach."""
    before, after = old.rule("prefixItems"), new.rule("prefixItems")
    named = max(len(before), len(after))
    longest = old.rule("maxItems")
    for index in range(named if longest is None else min(named, longest)):
        finding.look_into(
            str(index),
            before[index] if index < len(before) else _or_anything(old, "items"),
            after[index] if index < len(after) else _or_anything(new, "items"),
        )
    if longest is None or longest > named:
        finding.look_into(_ITEM, _or_anything(old, "items"), _or_anything(new, "items"))


def _compare_fields(finding: Finding, old: Alternative, new: Alternative) -> None:
    before, after = _fields(old), _fields(new)
    was_required, is_required = (frozenset(each.rule("required") or ()) for each in (old, new))
    for name, schema in before.items():
        if name not in after:
            finding.note("field removed", is_breaking=True, at=name)
            continue
        finding.look_into(name, schema, after[name])
        if name in is_required - was_required:
            finding.note("optional field is required now", is_breaking=True, at=name)
        elif name in was_required - is_required:
            finding.note("required field is optional now", is_breaking=False, at=name)
        elif name not in was_required:
            _compare_defaults(finding, name, schema, after[name])
    for name, schema in after.items():
        if name not in before:
            _note_added(finding, name, schema, old, is_required=name in is_required)


def _note_added(
    finding: Finding, name: str, schema: Schema, old: Alternative, *, is_required: bool
) -> None:
    if is_required:
        finding.note("required field added", is_breaking=True, at=name)
        return
    finding.note("optional field added", is_breaking=False, at=name)
    undeclared = _or_anything(old, "additionalProperties")
    # Keys of a mapping are data; what a model merely lets pass is not.
    if "properties" not in old.schema or isinstance(undeclared, Mapping):
        finding.look_into(name, undeclared, schema)


def _compare_defaults(finding: Finding, name: str, old: Schema, new: Schema) -> None:
    before, after = _default(old), _default(new)
    if before is not after and shown(before) != shown(after):
        texts = ["none stated" if each is _NO_DEFAULT else shown(each) for each in (before, after)]
        finding.note(f"default changed from {texts[0]} to {texts[1]}", is_breaking=False, at=name)


def _default(schema: Schema) -> Any:
    return _NO_DEFAULT if isinstance(schema, bool) else schema.get("default", _NO_DEFAULT)


def _compare_keys(finding: Finding, old: Alternative, new: Alternative) -> None:
    """What keys have to be: by a schema of theirs, or by patterns that have one for the values."""
    if old.rule("propertyNames") != new.rule("propertyNames"):
        finding.look_into(_KEY, _key_schema(old), _key_schema(new))
    before, after = (each.rule("patternProperties") or {} for each in (old, new))
    for pattern, schema in after.items():
        if pattern in before:
            finding.look_into(_ITEM, before[pattern], schema)
        else:
            finding.note(f"keys have to match {pattern} now", is_breaking=True)
    for pattern, schema in before.items():
        if pattern not in after:
            finding.note(f"keys need not match {pattern} any more", is_breaking=False)
            finding.look_into(_ITEM, schema, _or_anything(new, "additionalProperties"))


def _compare_undeclared(finding: Finding, old: Alternative, new: Alternative) -> None:
    before, after = (_or_anything(each, "additionalProperties") for each in (old, new))
    if after is False:
        if before is not False:
            finding.note("undeclared keys are refused now", is_breaking=True)
    elif before is False:
        finding.note("undeclared keys are accepted now", is_breaking=False)
    else:
        finding.look_into(_ITEM, before, after)


def _fields(each: Alternative) -> Mapping[str, Schema]:
    fields: Mapping[str, Schema] = each.rule("properties") or {}
    return fields


def _or_anything(each: Alternative, rule: str) -> Schema:
    schema: Schema | None = each.rule(rule)
    return True if schema is None else schema


def _key_schema(each: Alternative) -> Schema:
    schema: Schema | None = each.rule("propertyNames")
    is_partial = isinstance(schema, Mapping) and schema.keys().isdisjoint(
        {"type", "$ref", "enum", "const", "anyOf"}
    )
    if schema is None or schema is True or is_partial:
        return {"type": "string", **(schema if isinstance(schema, Mapping) else {})}
    return schema
