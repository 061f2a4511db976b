"""A JSON Schema as a list of alternatives, each of one kind, for two of them to be compared."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

Schema = Mapping[str, Any] | bool

_NUMBER = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
_SIZES = frozenset({"minLength", "maxLength", "minItems", "maxItems"})
_BOUNDS = _NUMBER | _SIZES | {"minProperties", "maxProperties"}
_STRING = frozenset({"minLength", "maxLength", "pattern"})
_ARRAY = frozenset({"items", "prefixItems", "minItems", "maxItems", "uniqueItems"})
_OBJECT = frozenset(
    {"properties", "required", "additionalProperties", "propertyNames", "patternProperties"}
    | {"minProperties", "maxProperties"}
)
_RULES: tuple[tuple[str, frozenset[str]], ...] = (
    ("null", frozenset()),
    ("boolean", frozenset()),
    ("integer", _NUMBER),
    ("number", _NUMBER),
    ("string", _STRING),
    ("array", _ARRAY),
    ("object", _OBJECT),
)
"""The rules that are understood, by type."""

_CHOICES = frozenset({"anyOf", "oneOf", "discriminator"})
_VALUES = frozenset({"const", "enum"})
_NOT_UNDERSTOOD = frozenset(
    {"allOf", "not", "if", "then", "else", "contains", "minContains", "maxContains"}
    | {"dependentRequired", "dependentSchemas", "dependencies", "additionalItems"}
    | {"unevaluatedItems", "unevaluatedProperties", "$dynamicRef", "contentEncoding"}
    | {"contentMediaType", "contentSchema"}
)
_ASSERTIONS = frozenset(
    {"$ref", "type", "format"}
    | _CHOICES | _VALUES | _NOT_UNDERSTOOD | _NUMBER | _STRING | _ARRAY | _OBJECT
)  # fmt: skip
"""Everything that data can break. What is not among them is a remark."""

ANYTHING = "anything"
OPAQUE = "opaque"
VALUE = "value"


@dataclass(frozen=True, slots=True)
class Alternative:
    """One of the things that data may be.

    ``kind`` is a type of JSON, told apart further by ``format`` and by what makes an array a tuple
    or a set; or ``anything``; or ``value``, that very one; or ``opaque``, for rules that are not
    understood and only equal to themselves. ``tags`` are keys that the data needs because a union
    is told apart by them.
    """

    kind: str
    schema: Mapping[str, Any]
    title: str = ""
    value: Any = None
    tags: frozenset[str] = frozenset()

    def rule(self, name: str) -> Any:
        """The rule, or ``None``."""
        return self.schema.get(name)


class Document:
    """A JSON Schema with its definitions. It must not change meanwhile."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._identities: dict[int, tuple[Schema, str]] = {}
        """By id of the schema, which is kept so that the id stays its own."""

    def alternatives(self, schema: Schema) -> list[Alternative]:
        """What ``schema``, a part of this document, allows; nothing where it is ``false``."""
        return self._alternatives(schema, frozenset())

    def identity(self, schema: Schema) -> str:
        """A text that two parts share only if they say the same; without remarks at its top."""
        known = self._identities.get(id(schema))
        if known is None:
            known = self._identities[id(schema)] = schema, self._identity(schema)
        return known[1]

    def expanded(self, schema: Schema) -> str:
        """A text for the part with everything that it refers to."""
        texts = {"": _text(schema)}
        todo: list[Any] = [schema]
        while todo:
            part = todo.pop()
            if isinstance(part, Mapping):
                todo += part.values()
                ref = part.get("$ref")
                if isinstance(ref, str) and ref not in texts:
                    target = self._target(ref)
                    texts[ref] = _text(target)
                    todo.append(target)
            elif isinstance(part, (list, tuple)):
                todo += part
        return _text(texts)

    def _identity(self, schema: Schema) -> str:
        passed: set[str] = set()
        while isinstance(schema, Mapping) and _ASSERTIONS & schema.keys() == {"$ref"}:
            if schema["$ref"] in passed:
                break
            passed.add(schema["$ref"])
            schema = self._target(schema["$ref"])
        if isinstance(schema, bool):
            return str(schema)
        return _text({key: part for key, part in schema.items() if key in _ASSERTIONS})

    def _alternatives(self, schema: Schema, through: frozenset[str]) -> list[Alternative]:
        if schema is False:
            return []
        rules = {} if schema is True else {k: v for k, v in schema.items() if k in _ASSERTIONS}
        if not rules or isinstance(schema, bool):
            return [Alternative(ANYTHING, {})]
        ref = rules.get("$ref")
        if isinstance(ref, str):
            if len(rules) > 1:
                return [_opaque(schema)]
            return [] if ref in through else self._alternatives(self._target(ref), through | {ref})
        if not _CHOICES.isdisjoint(rules):
            return self._choices(schema, rules, through)
        if not _VALUES.isdisjoint(rules):
            return _values(schema, rules)
        return _of_types(schema, rules)

    def _choices(
        self, schema: Mapping[str, Any], rules: Mapping[str, Any], through: frozenset[str]
    ) -> list[Alternative]:
        """The members of a union; of ``oneOf`` only where a key of the data tells them apart."""
        tag = (rules.get("discriminator") or {}).get("propertyName")
        members = rules.get("oneOf") if tag else rules.get("anyOf")
        if not isinstance(members, (list, tuple)) or len(rules) != (2 if tag else 1):
            return [_opaque(schema)]
        found = [each for member in members for each in self._alternatives(member, through)]
        if tag:
            found = [replace(each, tags=each.tags | {tag}) for each in found]
        return found

    def _target(self, ref: str) -> Schema:
        part: Any = self._root
        for step in ref.removeprefix("#").split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(part, Mapping) or name not in part:
                return {"not": {"$ref": ref}}  # leads nowhere: like nothing but itself
            part = part[name]
        return part if isinstance(part, (Mapping, bool)) else {"not": {"$ref": ref}}


def describe(found: Iterable[Alternative], limit: int = 6) -> str:
    """The alternatives in words, as in ``array of integer | null``."""
    names = list(dict.fromkeys(map(_name, found)))
    more = ["..."] if len(names) > limit else []
    return " | ".join([*names[:limit], *more]) or "nothing"


def shown(value: Any, limit: int = 60) -> str:
    """A JSON value, shortened."""
    text = json.dumps(value, default=str)
    return text if len(text) <= limit else f"{text[:limit]}..."


def _name(alternative: Alternative) -> str:
    if alternative.kind == VALUE:
        return shown(alternative.value)
    if alternative.kind == OPAQUE:
        return alternative.title or "a schema of its own"
    return f"{alternative.kind} {alternative.title}" if alternative.title else alternative.kind


def _opaque(schema: Mapping[str, Any]) -> Alternative:
    return Alternative(OPAQUE, schema, schema.get("title", ""))


def _values(schema: Mapping[str, Any], rules: Mapping[str, Any]) -> list[Alternative]:
    if set(rules) - {"type", *_VALUES} or len(_VALUES & set(rules)) > 1:
        return [_opaque(schema)]
    allowed = rules["enum"] if "enum" in rules else [rules["const"]]
    nothing = {"type": "null"}
    return [
        Alternative("null", nothing) if value is None else Alternative(VALUE, schema, value=value)
        for value in allowed
    ]


def _of_types(schema: Mapping[str, Any], rules: Mapping[str, Any]) -> list[Alternative]:
    types = rules.get("type")
    of_several = [types] if isinstance(types, str) else types
    if not isinstance(of_several, (list, tuple)):
        return [_opaque(schema)]
    understood = dict(_RULES)
    found = []
    for each in of_several:
        extra = set(rules) - {"type", "format"} - understood.get(each, frozenset())
        if each not in understood or (extra and len(of_several) == 1) or extra & _NOT_UNDERSTOOD:
            return [_opaque(schema)]
        if not all(isinstance(rules[name], (int, float)) for name in _BOUNDS & set(rules)):
            return [_opaque(schema)]
        title = schema.get("title", "") if each == "object" and "properties" in rules else ""
        found.append(Alternative(_kind(each, rules), schema, title))
    return found


def _kind(type_: str, rules: Mapping[str, Any]) -> str:
    if type_ == "array":
        if rules.get("prefixItems"):
            return "tuple"
        return "set" if rules.get("uniqueItems") else "array"
    format_ = rules.get("format")
    return f"{type_} ({format_})" if format_ and type_ not in ("null", "object") else type_


def _text(part: Any) -> str:
    return json.dumps(part, sort_keys=True, default=repr)
