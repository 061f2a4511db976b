"""A contract passes what is right, says what is wrong, and changes nothing."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections import OrderedDict
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid4

import cloudpickle
import pytest
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    field_validator,
    model_validator,
)

from stageflow_actors.contracts import RUN_INPUT, Contract
from stageflow_actors.errors import StageContractError
from stageflow_actors.model.frozen import freeze
from tests.contracts.samples import ANSWER, WORD, Answer, Transcript, violation
from tests.style.sources import ROOT


class Colour(Enum):
    RED = "red"


class Rich(BaseModel):
    """Types that JSON has not."""

    when: datetime
    day: date
    id: UUID
    amount: Decimal
    colour: Colour
    span: tuple[int, int]
    tags: set[str]
    raw: bytes


RICH = {
    "when": datetime(2026, 1, 2, tzinfo=UTC),
    "day": date(2026, 1, 2),
    "id": uuid4(),
    "amount": Decimal("1.5"),
    "colour": Colour.RED,
    "span": (1, 2),
    "tags": {"a"},
    "raw": b"abc",
}


def test_data_as_promised_passes():
    assert Contract(Answer, "ask").check(ANSWER) is None
    assert Contract(Answer, "ask", "show").check(dict(ANSWER, language=None)) is None


def test_a_broken_promise_of_the_stage_names_stage_model_path_and_both_values():
    error = violation(Transcript, {"words": [WORD, WORD, {"text": "x", "start": "1.5s"}]})
    assert error.code == "CONTRACT-OUTPUT"
    assert (error.path, error.expected, error.got) == (
        "words.2.start",
        "a valid number",
        "str '1.5s'",
    )
    assert error.message == (
        "The output of 'maker' breaks its contract Transcript at words.2.start: "
        "expected a valid number, got str '1.5s'."
    )
    assert "Transcript is output_model= of 'maker'." in error.hint


def test_a_reader_that_cannot_use_the_data_is_named_with_its_model():
    error = violation(Answer, {**ANSWER, "tokens": None}, reader="show")
    assert error.code == "CONTRACT-INPUT"
    assert error.message == (
        "The output of 'maker' breaks the contract Answer of its reader 'show' at tokens: "
        "expected a valid integer, got None."
    )
    assert "Answer is input_model= of 'show'." in error.hint


def test_the_input_of_the_run_is_called_so():
    error = violation(Answer, {}, stage=RUN_INPUT, reader="ask")
    assert error.message.startswith("The input of the run breaks the contract Answer of its reader")


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({"tokens": "7"}, "tokens"),
        ({"tokens": 7.0}, "tokens"),
        ({"tokens": True}, "tokens"),
        ({"score": "0.5"}, "score"),
        ({"final": 1}, "final"),
        ({"final": "true"}, "final"),
        ({"text": 5}, "text"),
        ({"text": b"Lisbon"}, "text"),
    ],
)
def test_nothing_is_converted(changed, path):
    error = violation(Answer, {**ANSWER, **changed})
    assert error.path == path
    assert "converts nothing" in error.hint
    assert "strict=False" in error.hint


def test_a_whole_number_is_a_number():
    Contract(Answer, "ask").check({**ANSWER, "score": 1})


def test_the_config_of_the_model_decides_where_it_speaks_of_strictness():
    class Lax(Answer):
        model_config = ConfigDict(strict=False)

    class Strict(BaseModel):
        model_config = ConfigDict(strict=True)
        items: list[int] = Field(strict=False)
        count: int

    Contract(Lax, "ask").check({**ANSWER, "tokens": "7"})
    assert "converts nothing" not in violation(Lax, {**ANSWER, "tokens": "seven"}).hint
    Contract(Strict, "ask").check({"items": (1, 2), "count": 1})
    assert violation(Strict, {"items": [], "count": "1"}).path == "count"


def test_python_values_pass_where_their_types_are_declared():
    Contract(Rich, "ask").check(RICH)
    Contract(Rich, "ask").check({**RICH, "tags": frozenset("a")})


def test_data_that_is_json_passes_in_the_json_form_of_the_declared_types():
    form = Rich(**RICH).model_dump(mode="json")
    Contract(Rich, "ask").check(form)
    Contract(Rich, "ask").check(freeze(form)[0])
    assert violation(Rich, {**form, "when": "yesterday"}).path == "when"
    assert violation(Rich, {**form, "span": [1, "2"]}).path == "span.1"


def test_the_json_form_does_not_lend_itself_to_values_that_json_has_not():
    class Counted(BaseModel):
        counts: dict[str, int]
        day: date = date(2026, 1, 1)

    form = Rich(**RICH).model_dump(mode="json")
    assert violation(Rich, {**form, "raw": b"abc"}).path == "when"
    Contract(Counted, "ask").check({"counts": {"1": 2}, "day": "2026-01-02"})
    assert violation(Counted, {"counts": {1: 2}}).path == "counts.1"


def test_sealed_data_passes_like_the_data_that_was_sealed():
    Contract(Rich, "ask").check(freeze(RICH)[0])
    Contract(Transcript, "ask").check(freeze({"words": [WORD]})[0])
    assert violation(Transcript, freeze({"words": [{**WORD, "start": None}]})[0]).path == (
        "words.0.start"
    )


@pytest.mark.parametrize("mapping", [dict, OrderedDict, MappingProxyType])
def test_any_mapping_is_data(mapping):
    Contract(Answer, "ask").check(mapping(ANSWER))
    assert violation(Answer, mapping({**ANSWER, "tokens": "7"})).path == "tokens"


def test_a_root_model_describes_the_data_as_a_whole():
    scores = RootModel[dict[str, int]]
    Contract(scores, "ask").check({"a": 1})
    assert violation(scores, {"a": 1, "b": "2"}).path == "b"


def test_instances_of_a_model_pass_as_they_are():
    class Holder(BaseModel):
        answer: Answer

    Contract(Holder, "ask").check({"answer": Answer(**ANSWER)})


def test_a_missing_key_is_a_violation_of_which_the_hint_says_what_to_do():
    error = violation(Transcript, {"words": [{"text": "x"}]})
    assert (error.path, error.expected, error.got) == ("words.0.start", "a value", "nothing")
    assert error.hint.startswith("Add the key")


def test_an_extra_key_is_a_violation_only_where_the_model_forbids_it():
    Contract(Answer, "ask").check({**ANSWER, "more": 1})
    error = violation(Transcript, {"words": [{**WORD, "end": 2}]})
    assert (error.path, error.expected, error.got) == ("words.0.end", "no such key", "int 2")
    assert error.hint.startswith("Leave the key out")


def test_the_first_violation_decides_and_the_others_are_counted():
    error = violation(Answer, {**ANSWER, "text": 1, "final": 2})
    assert (error.path, error.expected) == ("text", "a valid string")
    assert "(1 further violation)" in error.message
    error = violation(Answer, {"tokens": "x", "score": 1.0})
    assert error.path == "text"
    assert "(2 further violations)" in error.message


def test_many_violations_are_all_counted():
    words = [{"text": index, "start": 0.0} for index in range(5_000)]
    error = violation(Transcript, {"words": words})
    assert error.path == "words.0.text"
    assert "(4,999 further violations)" in error.message


class Meddling(BaseModel):
    """Its validators write to whatever they are given."""

    kept: int
    nested: dict[str, Any]
    items: list[Any]

    @model_validator(mode="before")
    @classmethod
    def _rename(cls, data):
        data["kept"] = data.pop("old")
        data["nested"]["deep"].append(1)
        return data

    @field_validator("items", mode="after")
    @classmethod
    def _sort(cls, items):
        items[0].clear()
        items[1][1].append(5)
        return items


@pytest.mark.parametrize("is_frozen", [False, True])
def test_data_stays_as_the_stage_returned_it_whatever_validators_do(is_frozen):
    data = {"old": 1, "nested": {"deep": [0]}, "items": [[2], (3, [4])]}
    before = copy.deepcopy(data)
    given = freeze(data)[0] if is_frozen else data
    Contract(Meddling, "ask").check(given)
    assert given == before


def test_data_of_a_model_without_validators_is_not_copied():
    class Watched(dict):
        def __iter__(self):
            raise AssertionError("copied")

    Contract(Answer, "ask").check(Watched(ANSWER))


def test_contracts_are_values():
    assert Contract(Answer, "ask") == Contract(Answer, "ask")
    assert hash(Contract(Answer, "ask")) != hash(Contract(Answer, "ask", "show"))
    with pytest.raises(AttributeError):
        Contract(Answer, "ask").stage = "other"


def test_a_contract_pickles_with_its_model_by_reference():
    contract = Contract(Answer, "ask", "show")
    assert cloudpickle.loads(cloudpickle.dumps(contract)) == contract


BY_VALUE = """
import sys, cloudpickle
from pydantic import BaseModel, field_validator
from stageflow_actors.contracts import Contract

class Inner(BaseModel):
    n: int

class Local(BaseModel):
    inner: Inner
    @field_validator("inner")
    @classmethod
    def check(cls, inner):
        if inner.n == 0:
            raise ValueError("n is zero")
        return inner

sys.stdout.buffer.write(cloudpickle.dumps(Contract(Local, "ask")))
"""


def test_a_contract_pickles_with_its_model_by_value():
    made = subprocess.run(
        [sys.executable, "-c", BY_VALUE], cwd=ROOT, capture_output=True, check=True, timeout=60
    )
    contract = cloudpickle.loads(made.stdout)
    contract.check({"inner": {"n": 1}})
    with pytest.raises(StageContractError, match=r"inner.*n is zero"):
        contract.check({"inner": {"n": 0}})
    with pytest.raises(StageContractError, match=r"Local at inner\.n"):
        contract.check({"inner": {"n": "1"}})
