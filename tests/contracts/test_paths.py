"""The path in an error leads through the data, not through the names of types."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import pytest
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel

from tests.contracts.samples import WORD, Transcript, Word, violation


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


class Point(NamedTuple):
    x: int
    y: int


@dataclass
class Box:
    width: int


def model_of(annotation):
    return type("Made", (BaseModel,), {"__annotations__": {"value": annotation}})


PATHS = [
    (int | list[int], [1, "2"], "value"),
    (int | list[int], "x", "value"),
    (list[int] | dict[str, int], {"a": "x"}, "value"),
    (dict[str, int] | list[int], {"a": "x"}, "value.a"),
    (Pet, {"kind": "cat", "lives": "9"}, "value.lives"),
    (Pet, {"kind": "horse"}, "value"),
    (Pet, {"lives": 9}, "value"),
    (list[Pet], [{"kind": "dog", "name": "Rex"}, {"kind": "dog"}], "value.1.name"),
    (list[Dog | Cat], [{"kind": "dog", "name": 5}], "value.0.name"),
    (dict[str, Dog | Cat], {"Dog": {"kind": "dog", "name": 5}}, "value.Dog.name"),
    (int | dict[str, int], {"int": "x"}, "value"),
    (dict[str, int | dict[str, str]], {"int": {"int": 5}}, "value.int"),
    (tuple[int, str], (1, 2), "value.1"),
    (tuple[int, str], (1,), "value.1"),
    (deque[int], deque([1, "2"]), "value.1"),
    (set[int], {"x"}, "value.0"),
    (int | set[str], {5}, "value"),
    (set[str] | int, {5}, "value.0"),
    (deque[int] | int, deque([1, "2"]), "value.1"),
    (dict[int, int], {1: 1, "x": 2}, "value.x"),
    (dict[int, int], {1: "one"}, "value.1"),
    (dict[float, int], {1.5: "x"}, "value.1.5"),
    (Point, (1, "2"), "value.1"),
    (Word, WORD | {"start": None}, "value.start"),
    (Word | None, {**WORD, "more": 1}, "value.more"),
    (list[list[list[int]]], [[], [[1], [2, 3.5]]], "value.1.1.1"),
]


@pytest.mark.parametrize(("annotation", "value", "path"), PATHS)
def test_a_path_leads_through_the_data(annotation, value, path):
    assert violation(model_of(annotation), {"value": value}).path == path


@pytest.mark.parametrize(("annotation", "value", "path"), PATHS)
def test_the_path_is_the_same_where_the_data_holds_more_than_json(annotation, value, path):
    data = {"value": value, "more": object()}
    assert violation(model_of(annotation), data).path == path


def test_a_dataclass_inside_is_looked_into():
    assert violation(model_of(Box), {"value": {"width": "1"}}).path == "value.width"


def test_an_alias_is_the_key_of_the_data():
    class Named(BaseModel):
        model_config = ConfigDict(alias_generator=to_camel)
        word_count: int
        first: int = Field(validation_alias=AliasChoices("first", AliasPath("all", 0)))

    assert violation(Named, {"wordCount": "1", "first": 1}).path == "wordCount"
    assert violation(Named, {"word_count": 1, "first": 1}).path == "wordCount"
    assert violation(Named, {"wordCount": 1, "all": ["x"]}).path == "all.0"


def test_members_of_a_union_say_together_what_was_expected():
    error = violation(model_of(int | str | list[int]), {"value": 1.5})
    assert error.expected == "a valid integer or a valid string or a valid array"


def test_a_value_that_a_validator_put_there_is_still_spoken_of():
    class Split(BaseModel):
        words: list[int]

        @field_validator("words", mode="before")
        @classmethod
        def _split(cls, words):
            return words.split()

    error = violation(Split, {"words": "1 x"})
    assert (error.path, error.got) == ("words.0", "str '1'")


def test_data_that_a_validator_reshaped_keeps_its_location():
    class Wrapped(BaseModel):
        inner: dict[str, int]

        @model_validator(mode="before")
        @classmethod
        def _wrap(cls, data):
            return {"inner": {"deep": data["flat"]}}

    assert violation(Wrapped, {"flat": "x", "inner": 3}).path == "inner.deep"


def test_a_long_path_is_whole_in_the_error_and_short_in_its_text():
    class Link(BaseModel):
        following: Link | None = None
        value: int = 0

    data: dict[str, Any] = {"value": "x"}
    for _ in range(60):
        data = {"following": data}
    error = violation(Link, data)
    assert error.path == "following." * 60 + "value"
    assert len(error.message) < 400


def test_a_long_key_is_shortened():
    error = violation(model_of(dict[str, int]), {"value": {"k" * 10_000: "x"}})
    assert error.path == f"value.{'k' * 80}..."


def test_a_long_value_is_shortened():
    error = violation(Transcript, {"words": [{"text": "x", "start": "long " * 1_000}]})
    assert error.got == f"str '{'long ' * 12}'... (5,000 long)"


@pytest.mark.parametrize(
    ("value", "got"),
    [
        (None, "None"),
        (True, "bool True"),
        (1.5, "float 1.5"),
        ("x", "str 'x'"),
        (b"secret", "bytes (6 long)"),
        ([1], "list with 1 item"),
        ({"a": 1, "b": 2}, "dict with 2 keys"),
        ((1, 2), "tuple with 2 items"),
        (Box(1), "Box"),
        (Cat(kind="cat", lives=9), "Cat"),
    ],
)
def test_what_was_found_is_told_by_type_and_size_and_never_whole(value, got):
    assert violation(model_of(UUID), {"value": value, "more": object()}).got == got
