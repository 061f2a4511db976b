"""Schemas that refer to themselves, are large, or say what is not understood."""

from __future__ import annotations

import sys
from typing import Any, Literal

import pytest
from pydantic import BaseModel, create_model

from stageflow_actors.contracts import compare_schemas


def changes(old, new):
    found = compare_schemas(old.model_json_schema(), new.model_json_schema())
    return list(found.breaking), list(found.warnings)


def trees(**fields):
    """A model that has itself below it, with ``fields`` besides."""
    own = {name: annotation for name, (annotation, _default) in fields.items()}
    defaults = {name: default for name, (_annotation, default) in fields.items() if default != ...}
    names = {"__annotations__": {**own, "children": "list[Tree]"}, "children": [], **defaults}
    made = type("Tree", (BaseModel,), {**names, "__module__": __name__})
    made.model_rebuild(_types_namespace={"Tree": made})
    return made


def test_a_recursive_model_is_the_same_as_itself():
    assert changes(trees(value=(int, ...)), trees(value=(int, ...))) == ([], [])


def test_a_change_in_a_recursive_model_is_told_once():
    old = trees(value=(int, ...))
    assert changes(old, trees(value=(str, ...))) == (
        ["value: type changed from integer to string"],
        [],
    )
    assert changes(old, trees(value=(float, ...))) == (
        [], ["value: type widened from integer to number"],
    )  # fmt: skip


def test_a_recursion_that_ends_is_not_the_same_as_one_that_does_not():
    class Shallow(BaseModel):
        children: list[dict[str, Any]] = []

    assert changes(Shallow, trees())[0] == [
        "children.*.children: type narrowed from anything to array"
    ]
    assert changes(trees(), Shallow)[0] == ["children.*.children: field removed"]


class A(BaseModel):
    kind: Literal["a"]
    b: B | None = None


class B(BaseModel):
    kind: Literal["b"]
    a: A | None = None
    count: int = 0


def test_models_that_refer_to_each_other_are_compared_through_each_other():
    class Namespace:
        class A(BaseModel):
            kind: Literal["a"]
            b: Namespace.B | None = None

        class B(BaseModel):
            kind: Literal["b"]
            a: Namespace.A | None = None
            count: str = ""

    Namespace.A.model_rebuild(_types_namespace={"Namespace": Namespace})
    Namespace.B.model_rebuild(_types_namespace={"Namespace": Namespace})
    breaking, _warnings = changes(A, Namespace.A)
    assert breaking == ["b.count: type changed from integer to string"]
    assert changes(B, Namespace.B)[0] == ["count: type changed from integer to string"]


def expressions(count, leaf):
    """``count`` kinds of nodes of a syntax tree, each with two children of any kind."""
    names = [f"Node{index}" for index in range(count)]
    union = " | ".join(names)
    made = {}
    for name in names:
        annotations = {
            "kind": Literal[name],
            "left": union,
            "right": f"{union} | None",
            "leaf": leaf,
        }
        made[name] = type(
            name, (BaseModel,), {"__annotations__": annotations, "__module__": __name__}
        )
    for each in made.values():
        each.model_rebuild(_types_namespace=made)
    return made["Node0"]


def test_a_syntax_tree_of_many_kinds_is_compared_in_reasonable_time():
    assert changes(expressions(20, int), expressions(20, int)) == ([], [])
    breaking, _warnings = changes(expressions(20, int), expressions(20, str))
    assert "leaf: type changed from integer to string" in breaking


def test_a_definition_used_exponentially_often_is_told_a_bounded_number_of_times():
    def doubling(leaf):
        below = create_model("Level", value=(leaf, ...))
        for _ in range(20):
            below = create_model("Level", one=(below, ...), two=(below, ...))
        return below

    breaking, _warnings = changes(doubling(int), doubling(str))
    assert 0 < len(breaking) < 50
    assert all(text.endswith("value: type changed from integer to string") for text in breaking)


def models(**definitions):
    """Models by name, each from the annotations of its fields."""
    made = {
        name: type(name, (BaseModel,), {"__annotations__": fields, "__module__": __name__})
        for name, fields in definitions.items()
    }
    for each in made.values():
        each.model_rebuild(_types_namespace={**made, "Any": Any})
    return made["Data"]


def test_a_choice_that_relied_on_what_turns_out_to_break_is_made_again():
    """``Step`` is compared while ``Tree`` still counts as the same, as that leads back to it."""
    old = models(
        Tree={"step": "Step", "leaf": "int"},
        Step={"tree": "Tree | None"},
        Data={"tree": "Tree", "step": "Step"},
    )
    new = models(
        Tree={"step": "Step | AnyStep", "leaf": "str"},
        Step={"tree": "Tree | None"},
        AnyTree={"step": "Any", "leaf": "int | str"},
        AnyStep={"tree": "Any"},
        Data={"tree": "Tree | AnyTree", "step": "Step | AnyStep"},
    )
    assert changes(old, new)[0] == []
    assert changes(new, old)[0] != []


OPAQUE = [
    {"not": {"type": "string"}},
    {"type": "object", "dependentRequired": {"a": ["b"]}},
    {"allOf": [{"type": "object"}, {"required": ["a"]}]},
    {"oneOf": [{"type": "integer"}, {"type": "number"}]},
    {"if": {"type": "string"}, "then": {"maxLength": 1}},
    {"type": "string", "contentMediaType": "application/json"},
    {"type": "string", "minLength": "one"},
    {"type": "strange"},
    {"minLength": 1},
    {"$ref": "#/$defs/Gone"},
    {"$ref": "#/$defs/There", "maxLength": 3},
    {"enum": ["a"], "maxLength": 3},
    {"anyOf": [{"type": "string"}, {"type": "null"}], "maxLength": 3},
    {"type": ["string", "null"], "not": {"const": "a"}},
]
DEFINITIONS = {"There": {"type": "string"}}


def document(schema, **definitions):
    return {"$defs": {**DEFINITIONS, **definitions}, "properties": {"v": schema}, "type": "object"}


@pytest.mark.parametrize("schema", OPAQUE, ids=str)
def test_rules_that_are_not_understood_are_only_the_same_as_themselves(schema):
    same = compare_schemas(document(schema), document(dict(schema)))
    assert (same.breaking, same.warnings) == ((), ())
    for other in ({"type": "string"}, {"type": "object"}, {**schema, "if": {"type": "null"}}):
        assert not compare_schemas(document(schema), document(other)).is_compatible
        assert not compare_schemas(document(other), document(schema)).is_compatible


def test_rules_that_are_not_understood_are_compared_with_what_they_refer_to():
    schema = {"not": {"$ref": "#/$defs/There"}}
    old, new = document(schema), document(schema, There={"type": "integer"})
    assert compare_schemas(old, old).is_compatible
    assert not compare_schemas(old, new).is_compatible
    near = {"There": {"items": {"$ref": "#/$defs/Far"}}}
    old, new = (document(schema, **near, Far={"maxLength": size}) for size in (1, 2))
    assert compare_schemas(old, old).is_compatible
    assert not compare_schemas(old, new).is_compatible


def test_exactly_one_of_several_is_not_any_of_them():
    number, whole = {"type": "number"}, {"type": "integer"}
    assert compare_schemas(document(whole), document({"anyOf": [number, whole]})).is_compatible
    assert not compare_schemas(document(whole), document({"oneOf": [number, whole]})).is_compatible


BOOLEANS = [(True, False, False), (False, True, True), (False, {"type": "string"}, True)]


@pytest.mark.parametrize(("old", "new", "is_compatible"), BOOLEANS)
def test_schemas_that_allow_everything_or_nothing(old, new, is_compatible):
    assert compare_schemas(document(old), document(new)).is_compatible is is_compatible


def test_several_types_in_one_schema_are_alternatives():
    both = {"type": ["string", "null"], "maxLength": 3}
    assert not compare_schemas(document(both), document({"type": "string"})).is_compatible
    assert compare_schemas(
        document({"type": "string", "maxLength": 2}), document(both)
    ).is_compatible


def test_a_reference_to_itself_only_is_nothing():
    circle = document({"$ref": "#/$defs/Self"}, Self={"$ref": "#/$defs/Self"})
    assert compare_schemas(circle, circle).is_compatible


def test_deep_schemas_stay_within_the_recursion_limit():
    nested: Any = {"type": "integer"}
    for _ in range(120):
        nested = {"type": "array", "items": nested}
    assert sys.getrecursionlimit() <= 1_000
    assert compare_schemas(document(nested), document(nested)).is_compatible
