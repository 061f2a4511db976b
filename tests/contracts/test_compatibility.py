"""Each rule of the comparison of two schemas, by an example in either direction."""

from __future__ import annotations

from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict, Field, Json, create_model

from stageflow_actors.contracts import compare_schemas


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]


class Bird(BaseModel):
    kind: Literal["bird"]


class Untagged(BaseModel):
    kind: Literal["cow"] = "cow"


class Small(Enum):
    A = "a"
    B = "b"


class Large(Enum):
    A = "a"
    B = "b"
    C = "c"


def tagged(*members):
    union = members[0]
    for member in members[1:]:
        union = union | member
    return Annotated[union, Field(discriminator="kind")]


def limited(type_, **limits):
    return Annotated[type_, Field(**limits)]


def between(old, new):
    """Between two models: what breaks, and the warnings."""
    found = compare_schemas(old.model_json_schema(), new.model_json_schema())
    return list(found.breaking), list(found.warnings)


def changes(old, new):
    """The same between two types, of the one field of a model."""
    return between(*(create_model("Data", v=(each, ...)) for each in (old, new)))


def model(_config=None, **fields):
    return create_model("Data", __config__=_config, **fields)


SAME = [
    int, str | None, list[int], dict[str, float], tuple[int, str], set[str], Any, Small, UUID,
    Literal["a", 1] | None, Cat | Dog, tagged(Cat, Dog), limited(int, ge=1, lt=5), Json[list[int]],
    dict[str, Any] | dict[str, float], dict[Small, int], limited(str, pattern="^a"),
    dict[limited(str, pattern="^a"), int],
]  # fmt: skip


@pytest.mark.parametrize("annotation", SAME, ids=str)
def test_what_stays_the_same_is_no_change(annotation):
    assert changes(annotation, annotation) == ([], [])


BOTH = Literal[True, False]
BESIDE = bool | BOTH | Literal["a"]


@pytest.mark.parametrize(
    ("old", "new"), [(BOTH, bool), (bool, BOTH), (bool, bool | BOTH), (BESIDE, BESIDE)], ids=str
)
def test_both_values_of_a_boolean_are_a_boolean(old, new):
    assert changes(old, new) == ([], [])


def test_titles_and_descriptions_are_no_change():
    old = model(v=(int, Field(title="a", description="b", examples=[1])))
    new = model(v=(int, Field(title="c", description="d", deprecated=True)))
    assert between(old, new) == ([], [])


WIDER = [
    (str, str | None, "v: type widened from string to string | null"),
    (int, float, "v: type widened from integer to number"),
    (int, int | str, "v: type widened from integer to integer | string"),
    (int, Any, "v: type widened from integer to anything"),
    (int | None, float | None, "v: type widened from integer | null to number | null"),
    (Literal["a"], Literal["a", "b"], 'v: value "b" added'),
    (Small, Large, 'v: value "c" added'),
    (Literal["a"], str, 'v: type widened from "a" to string'),
    (Literal[1, 2], int, "v: type widened from 1 | 2 to integer"),
    (Literal[3], limited(int, ge=3, multiple_of=3), "v: type widened from 3 to integer"),
    (Literal["a"], Literal["a"] | None, 'v: type widened from "a" to "a" | null'),
    (bool, bool | int, "v: type widened from boolean to boolean | integer"),
    (limited(int, ge=1), int, "v: looser minimum: 1 -> none"),
    (limited(int, gt=0), limited(int, gt=-1), "v: looser minimum: 0 (exclusive) -> -1 (exclusive)"),
    (limited(float, gt=0), limited(float, ge=0), "v: looser minimum: 0 (exclusive) -> 0"),
    (limited(float, le=1), limited(float, le=2), "v: looser maximum: 1 -> 2"),
    (limited(int, multiple_of=4), limited(int, multiple_of=2), "v: looser multipleOf: 4 -> 2"),
    (limited(int, multiple_of=4), int, "v: looser multipleOf: 4 -> none"),
    (limited(str, min_length=2), limited(str, min_length=1), "v: looser minLength: 2 -> 1"),
    (limited(str, max_length=2), str, "v: looser maxLength: 2 -> none"),
    (limited(str, pattern="^a"), str, "v: looser pattern: ^a -> none"),
    (limited(list[int], max_length=2), list[int], "v: looser maxItems: 2 -> none"),
    (limited(dict[str, int], min_length=2), dict[str, int], "v: looser minProperties: 2 -> none"),
    (list[int], list[float], "v.*: type widened from integer to number"),
    (dict[str, int], dict[str, int | None], "v.*: type widened from integer to integer | null"),
    (tuple[int, str], tuple[int, str | None], "v.1: type widened from string to string | null"),
    (dict[Small, int], dict[Large, int], 'v.<key>: value "c" added'),
    (Cat, Cat | Dog, "v: type widened from object Cat to object Cat | object Dog"),
    (
        tagged(Cat, Dog),
        tagged(Cat, Dog, Bird),
        "v: type widened from object Cat | object Dog to object Cat | object Dog | object Bird",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "warning"), WIDER, ids=str)
def test_what_became_wider_is_a_warning(old, new, warning):
    assert changes(old, new) == ([], [warning])


@pytest.mark.parametrize(("new", "old", "warning"), WIDER, ids=str)
def test_what_became_narrower_breaks(old, new, warning):
    breaking, warnings = changes(old, new)
    assert warnings == []
    assert len(breaking) == 1
    assert breaking[0].split(": ")[0] == warning.split(": ")[0]
    assert any(word in breaking[0] for word in ("narrowed", "removed", "tighter", "another"))


OTHER = [
    (int, str), (str, int), (int, bool), (bool, int), (str, None), (int, list[int]), (Cat, int),
    (str, datetime), (datetime, str), (date, datetime), (str, UUID), (str, bytes),
    (list[int], set[int]), (set[int], list[int]), (list[int], tuple[int, int]),
    (tuple[int, int], list[int]), (Literal["1"], int), (Literal[1], str), (Literal[1], bool),
    (Literal["a"], datetime), (list[int] | None, str), (Json[int], str), (float, str),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new"), OTHER, ids=str)
def test_another_type_breaks(old, new):
    breaking, warnings = changes(old, new)
    assert warnings == []
    assert len(breaking) == 1
    assert breaking[0].startswith("v: type changed from ")


BREAKING = [
    (Literal["a", "b"], Literal["a", "c"], ['v: value "b" removed'], ['v: value "c" added']),
    (Literal[1], Literal[True], ["v: value 1 removed"], ["v: value true added"]),
    (str, Literal["a"], ['v: type narrowed from string to "a"'], []),
    (bool, Literal[True], ["v: type narrowed from boolean to true"], []),
    (limited(int, ge=1), limited(int, ge=2, le=9),
     ["v: tighter minimum: 1 -> 2", "v: tighter maximum: none -> 9"], []),
    (int, limited(float, gt=0), ["v: tighter minimum: none -> 0 (exclusive)"],
     ["v: type widened from integer to number"]),
    (limited(int, multiple_of=2), limited(int, multiple_of=3),
     ["v: tighter multipleOf: 2 -> 3"], []),
    (limited(str, pattern="^a"), limited(str, pattern="^b"), ["v: another pattern: ^a -> ^b"], []),
    (tuple[int, int], tuple[int, int, int],
     ["v: tighter minItems: 2 -> 3"], ["v: looser maxItems: 2 -> 3"]),
    (tuple[int, ...], tuple[str, ...], ["v.*: type changed from integer to string"], []),
    (list[list[int]], list[list[str]], ["v.*.*: type changed from integer to string"], []),
    (dict[limited(str, pattern="^a"), int], dict[limited(str, pattern="^b"), int],
     ["v: keys have to match ^b now"],
     ["v: keys need not match ^a any more", "v.*: type widened from integer to anything"]),
    (dict[limited(str, pattern="^a"), int], dict[limited(str, pattern="^a"), str],
     ["v.*: type changed from integer to string"], []),
    (Cat | Dog, Cat, ["v: type narrowed from object Cat | object Dog to object Cat"], []),
    (Untagged | Dog, tagged(Untagged, Dog),
     ["v.kind: needed now, to tell a union apart"], []),
    (dict[str, Any], dict[str, int], ["v.*: type narrowed from anything to integer"], []),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "breaking", "warnings"), BREAKING, ids=str)
def test_what_breaks_is_told_apart_from_what_does_not(old, new, breaking, warnings):
    assert changes(old, new) == (breaking, warnings)


INCLUDED = [
    (bool, Literal[True, False]), (int | float, float), (limited(int, gt=0), limited(int, ge=1)),
    (limited(int, lt=5), limited(float, lt=5)), (tagged(Cat, Dog), Cat | Dog),
    (Cat | Dog, tagged(Cat, Dog)),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new"), INCLUDED, ids=str)
def test_another_way_to_say_the_same_does_not_break(old, new):
    assert changes(old, new)[0] == []


# --- fields ---------------------------------------------------------------------------------------

OLD = {"kept": (int, ...), "opt": (int, 1)}
FIELDS = [
    (OLD, {"kept": (int, ...)}, ["opt: field removed"], []),
    (OLD, {"opt": (int, 1)}, ["kept: field removed"], []),
    (OLD, {**OLD, "new": (int, ...)}, ["new: required field added"], []),
    (OLD, {**OLD, "new": (int, 1)}, [], ["new: optional field added"]),
    (OLD, {**OLD, "opt": (int, ...)}, ["opt: optional field is required now"], []),
    (OLD, {**OLD, "kept": (int, 1)}, [], ["kept: required field is optional now"]),
    (OLD, {**OLD, "opt": (int, 2)}, [], ["opt: default changed from 1 to 2"]),
    (OLD, {**OLD, "opt": (int, Field(default_factory=int))}, [],
     ["opt: default changed from 1 to none stated"]),
    (OLD, {**OLD, "opt": (int | None, None)}, [],
     ["opt: default changed from 1 to null", "opt: type widened from integer to integer | null"]),
    (OLD, {"kept": (int, Field(alias="Kept")), "opt": (int, 1)},
     ["kept: field removed", "Kept: required field added"], []),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "breaking", "warnings"), FIELDS, ids=str)
@pytest.mark.parametrize("depth", [0, 1, 2])
def test_fields_that_come_go_and_change_at_any_depth(old, new, breaking, warnings, depth):
    path = ["inner"] * depth
    before, after = model(**old), model(**new)
    for _ in path:
        before, after = model(inner=(list[before], ...)), model(inner=(list[after], ...))
    prefix = "".join(f"{step}.*." for step in path)
    assert between(before, after) == (
        [prefix + text for text in breaking],
        [prefix + text for text in warnings],
    )


FORBID, ALLOW = ConfigDict(extra="forbid"), ConfigDict(extra="allow")


def test_keys_that_were_let_pass_and_are_refused_break():
    for config in (None, ALLOW):
        assert between(model(config, **OLD), model(FORBID, **OLD)) == (
            ["(root): undeclared keys are refused now"], [],
        )  # fmt: skip
        assert between(model(FORBID, **OLD), model(config, **OLD)) == (
            [], ["(root): undeclared keys are accepted now"],
        )  # fmt: skip
    assert between(model(ALLOW, **OLD), model(**OLD)) == ([], [])


def test_a_field_added_where_undeclared_keys_had_a_type_must_take_that_type():
    class Typed(BaseModel):
        model_config = ConfigDict(extra="allow")
        __pydantic_extra__: dict[str, int]

    class Named(Typed):
        name: float = 0

    class Other(Typed):
        name: str = ""

    assert between(Typed, Named)[0] == []
    assert between(Typed, Other)[0] == ["name: type changed from integer to string"]
    assert changes(dict[str, Any], Untagged)[0] == ['v.kind: type narrowed from anything to "cow"']


def test_a_definition_that_is_used_twice_is_told_under_both_paths():
    class Old(BaseModel):
        home: Untagged
        work: list[Untagged]

    class New(BaseModel):
        home: Cat
        work: list[Cat]

    assert between(Old, New)[0] == [
        "home.kind: optional field is required now",
        "home.lives: required field added",
        'home.kind: value "cow" removed',
        "work.*.kind: optional field is required now",
        "work.*.lives: required field added",
        'work.*.kind: value "cow" removed',
    ]
