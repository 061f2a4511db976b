"""Events as JSON: exact where JSON can say it, readable text where it cannot, never an error."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stageflow_actors.adapters.event_json import data_to_json, text_to_json
from stageflow_actors.model.frozen import freeze

PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")  # one character to JSON, two to Python
TEXT = st.text(st.characters()).filter(lambda text: not PAIR.search(text))
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda parts: st.lists(parts) | st.dictionaries(TEXT, parts),
    max_leaves=20,
)


def read(text):
    def refuse(name):
        raise ValueError(f"{name} is not JSON")

    assert text.isascii()
    assert text.isprintable()  # so it is one line to every reader
    return json.loads(text, parse_constant=refuse)


def written(value):
    return read(data_to_json({"value": value}))["value"]


@given(st.dictionaries(TEXT, JSON_VALUES))
def test_json_data_comes_back_exactly(data):
    assert read(data_to_json(data)) == data
    assert read(data_to_json(freeze(data)[0])) == data


@given(TEXT)
def test_text_comes_back_exactly(text):
    assert read(text_to_json(text)) == text


class Colour(Enum):
    RED = "red"


class Mood(StrEnum):
    GOOD = "good"


class Level(IntEnum):
    HIGH = 3


class Half(float):
    def __repr__(self):
        return "one half"


class Point(NamedTuple):
    x: int
    y: int


RUN_ID = "0190163d-8694-739b-aea5-966c26f8ad90"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, "nan"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (10**30, 10**30),
        pytest.param(10**5_000, hex(10**5_000), id="huge"),
        (UUID(RUN_ID), RUN_ID),
        (Decimal("1.10"), "1.10"),
        (PurePosixPath("/a/b"), "/a/b"),
        (datetime(2025, 1, 2, tzinfo=UTC), "2025-01-02T00:00:00+00:00"),
        (date(2025, 1, 2), "2025-01-02"),
        (b"\n", r"b'\n'"),
        (Colour.RED, "red"),
        (Mood.GOOD, "good"),
        (Level.HIGH, 3),
        (Half(0.5), 0.5),
        ((1, (2,)), [1, [2]]),
        ({1}, [1]),
        (frozenset({"a"}), ["a"]),
        (Point(1, 2), [1, 2]),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (range(3), "range(0, 3)"),
    ],
)
def test_other_values_become_what_a_reader_expects(value, expected):
    assert written(value) == expected


def test_keys_become_text_and_none_replaces_another():
    plain = written({1: "a", "1": "b", None: "c", (1, 2): "e", math.nan: "f"})
    assert plain == {"1": "a", "1 (str)": "b", "null": "c", "[1,2]": "e", "nan": "f"}


def test_what_contains_itself_is_cut_there():
    ring = []
    ring.append({"again": ring})
    assert written(ring) == [{"again": "<contains itself>"}]


def test_what_occurs_twice_is_written_twice():
    part = {"a": 1}
    assert written([part, part]) == [part, part]


def test_deep_data_is_cut_below_what_any_run_can_hold():
    value = "x"
    for _ in range(99):
        value = [value]
    assert written(value) == value
    assert "<deeper than 100 levels>" in data_to_json({"value": [[value]]})


def test_data_that_is_astronomic_when_written_out_is_cut():
    part = ["x"]
    for _ in range(60):
        part = [part, part]
    text = data_to_json({"value": part, "after": 1})
    assert "<cut>" in text
    assert len(text) < 2_000_000
    read(text)


def test_long_text_of_an_object_is_cut():
    class Verbose:
        def __repr__(self):
            return "long" * 1_000

    assert written(Verbose()) == "long" * 50


def test_object_that_cannot_be_read_becomes_what_it_raised():
    class Broken(dict):
        def items(self):
            raise KeyError("gone")

    class Mute:
        def __repr__(self):
            raise ValueError("no text")

    assert written([Broken(), Mute(), 1]) == [
        "<Broken that raised KeyError>",
        "<Mute that raised ValueError>",
        1,
    ]
