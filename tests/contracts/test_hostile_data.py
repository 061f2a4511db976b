"""Whatever the data is, and whatever validators raise: it passes, or it is a contract error."""

from __future__ import annotations

import math
import pickle
from typing import Annotated, Any

import cloudpickle
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, field_validator, model_validator

from stageflow_actors.contracts import Contract, read_as
from stageflow_actors.errors import StageContractError
from tests.contracts.samples import ANSWER, Answer, Transcript, violation
from tests.model.strategies import PLAIN_DATA


class Node(BaseModel):
    child: Node | None = None
    value: Any = None


class Level5(BaseModel):
    value: int


class Level4(BaseModel):
    fives: list[Level5]


class Level3(BaseModel):
    four: Level4


class Level2(BaseModel):
    threes: dict[str, Level3]


class Level1(BaseModel):
    two: Level2


def test_a_violation_five_levels_down_is_found_with_its_path():
    data = {"two": {"threes": {"key": {"four": {"fives": [{"value": 1}, {"value": "1"}]}}}}}
    assert violation(Level1, data).path == "two.threes.key.four.fives.1.value"


@pytest.mark.parametrize("root", [None, 1, "text", b"bytes", [], [ANSWER], (), object(), Answer])
def test_data_of_a_wrong_root_type_is_a_violation_of_the_whole(root):
    error = violation(Answer, root)
    assert error.path == ""
    assert "breaks its contract Answer: expected " in error.message


def test_a_cycle_is_a_violation_where_the_model_follows_it():
    data: dict[str, Any] = {"value": 1}
    data["child"] = {"child": data}
    error = violation(Node, data)
    assert error.expected == "data that does not contain itself"
    assert error.got == "dict with 2 keys"
    assert "by a key or an id" in error.hint


def test_a_cycle_that_no_field_looks_into_is_none_of_the_contracts_business():
    data: dict[str, Any] = {"value": []}
    data["value"].append(data)
    Contract(Node, "ask").check(data)
    Contract(Answer, "ask").check({**ANSWER, "more": data})
    assert violation(Answer, {**ANSWER, "text": 1, "more": data}).path == "text"


def test_a_cycle_in_data_of_a_model_with_validators_ends_too():
    class Checked(Node):
        @model_validator(mode="before")
        @classmethod
        def _look(cls, data):
            return data

    data: dict[str, Any] = {}
    data["value"] = (data, [data])
    Contract(Checked, "ask").check(data)
    deep: list[Any] = []
    for _ in range(5_000):
        deep = [deep]
    Contract(Checked, "ask").check({"value": deep})


def test_data_nested_thousands_of_levels_deep_is_a_violation():
    data: dict[str, Any] = {}
    for _ in range(5_000):
        data = {"child": data}
    error = violation(Node, data)
    assert error.path.startswith("child.child.")
    assert len(error.message) < 500
    assert error.expected == "data that is nested less deep"


def test_lone_surrogates_pass_and_can_be_spoken_of():
    Contract(Answer, "ask").check({**ANSWER, "text": "\ud800"})
    for data in ({"text": "x", "start": "\ud800"}, {"text": "x", "start": 1, "\ud800": 1}):
        error = violation(Transcript, {"words": [data]})
        assert error.path.startswith("words.0")
        str(error).encode("utf-8")


def test_nan_is_a_number_unless_the_model_wants_a_finite_one():
    class Measured(BaseModel):
        level: FiniteFloat

    Contract(Answer, "ask").check({**ANSWER, "score": math.nan})
    assert violation(Measured, {"level": math.nan}).got == "float nan"
    assert violation(Measured, {"level": math.inf}).got == "float inf"


def test_huge_numbers_are_not_printed():
    error = violation(Answer, {**ANSWER, "text": 10**6000})
    assert error.got == "int of 19,932 bits"


def test_arrays_are_compared_by_nobody():
    class Heard(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        samples: np.ndarray
        rate: int | list[int]

    Contract(Heard, "ask").check({"samples": np.zeros(3), "rate": 1})
    assert violation(Heard, {"samples": np.zeros(3), "rate": np.zeros(3)}).got == "ndarray"


class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError("no text")


class UnspeakableValue(ValueError):
    def __str__(self):
        raise RuntimeError("no text")


RAISED = [
    ValueError("not today"), AssertionError("not today"), ZeroDivisionError("division by zero"),
    KeyError("k"), TypeError("t"), OSError(2, "gone"), RecursionError(), StopIteration(),
    MemoryError(), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "odd"), Exception(), Unspeakable(),
    UnspeakableValue(), StageContractError("x", path="", expected="", got=""),
]  # fmt: skip


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("mode", ["before", "after", "wrap", "plain"])
def test_whatever_a_validator_raises_is_a_contract_error(error, mode):
    def judge(cls, value):
        raise error

    def judge_around(cls, value, handler):
        raise error

    class Judged(BaseModel):
        number: Annotated[int, Field(ge=0)] = 0
        _judge = field_validator("number", mode=mode)(judge_around if mode == "wrap" else judge)

    with pytest.raises(StageContractError) as broken:
        Contract(Judged, "maker").check({"number": 1})
    assert broken.value.path == ("" if isinstance(error, UnspeakableValue) else "number")
    assert pickle.loads(pickle.dumps(broken.value)).message == broken.value.message
    with pytest.raises(StageContractError):
        read_as(Judged, {"number": 1}, stage="maker", reader="show")


def test_a_validator_that_refuses_says_why():
    class Span(BaseModel):
        start: int
        end: int

        @model_validator(mode="after")
        def _in_order(self):
            if self.start > self.end:
                raise AssertionError("start must not be after end")
            return self

    error = violation(Span, {"start": 2, "end": 1})
    assert error.expected == "what its validator accepts: start must not be after end"
    assert error.got == "dict with 2 keys"


def test_a_validator_with_a_defect_is_named_and_its_exception_is_the_cause():
    class Ratio(BaseModel):
        whole: int

        @field_validator("whole")
        @classmethod
        def _invert(cls, whole):
            return 1 / whole

    error = violation(Ratio, {"whole": 0})
    assert error.path == "whole"
    assert "Ratio._invert to accept or refuse it" in error.expected
    assert error.got == "ZeroDivisionError: division by zero"
    assert isinstance(error.__cause__, ZeroDivisionError)
    assert "Mend that validator" in error.hint


def test_a_model_that_is_not_complete_is_a_contract_error():
    class Unready(BaseModel):
        later: Later  # noqa: F821

    error = violation(Unready, {"later": 1})
    assert "Unready" in error.message
    assert "model_rebuild()" in error.hint


def test_a_model_completed_later_leaves_the_data_alone_like_any_other():
    class Unready(BaseModel):
        later: Later  # noqa: F821

        @model_validator(mode="before")
        @classmethod
        def _empty(cls, data):
            return {"later": data.pop("later")}

    with pytest.raises(StageContractError):
        Contract(Unready, "maker").check({"later": 1})
    Unready.model_rebuild(_types_namespace={"Later": int})
    data = {"later": 1}
    Contract(Unready, "maker").check(data)
    assert data == {"later": 1}


def test_a_stop_that_a_validator_meets_is_not_swallowed():
    class Stopped(BaseModel):
        number: int

        @field_validator("number")
        @classmethod
        def _stop(cls, value):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Contract(Stopped, "maker").check({"number": 1})


@given(st.dictionaries(st.text(max_size=4), PLAIN_DATA, max_size=4))
def test_random_data_passes_or_is_a_contract_error_that_travels(data):
    for model in (Answer, Transcript, Node, Level1):
        for name in model.model_fields:
            for given_data in (data, {**data, name: data}, {**data, name: [*data.values()]}):
                try:
                    Contract(model, "maker", "reader").check(given_data)
                except StageContractError as error:
                    str(error).encode("utf-8")
                    assert cloudpickle.loads(cloudpickle.dumps(error)).path == error.path
