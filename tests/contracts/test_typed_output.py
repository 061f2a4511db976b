"""Outputs made from models: what they are made of, what is refused, which version they have."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from types import MappingProxyType
from uuid import UUID

import pytest
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    SecretStr,
    computed_field,
    field_serializer,
    field_validator,
)

from stageflow_actors.contracts import Contract, ContractRegistry, TypedStageOutput, read_as
from stageflow_actors.contracts.typed_output import timestamp_version
from stageflow_actors.errors import (
    StageContractError,
    StageDefinitionError,
    StageflowError,
    StageReturnTypeError,
)
from stageflow_actors.model.output import StageStatus
from tests.contracts.samples import ANSWER, Answer


class Level(Enum):
    HIGH = "high"


class Record(BaseModel):
    when: datetime
    id: UUID
    amount: Decimal
    level: Level
    span: tuple[int, int]
    tags: set[str]
    word_count: int = Field(alias="wordCount")

    @computed_field
    @property
    def words_and_more(self) -> int:
        return self.word_count + 1


RECORD = {
    "when": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "id": UUID(int=1),
    "amount": Decimal("1.5"),
    "level": Level.HIGH,
    "span": (1, 2),
    "tags": {"a"},
    "wordCount": 3,
}


def test_a_payload_becomes_the_model():
    typed = TypedStageOutput(Answer)
    answer = typed.validate(ANSWER)
    assert type(answer) is Answer
    assert typed.validate(answer) is answer
    assert typed.validate(MappingProxyType(ANSWER)) == answer
    assert typed.model is Answer


def test_values_are_converted_unless_it_is_strict():
    payload = {**ANSWER, "tokens": "7"}
    assert TypedStageOutput(Answer).validate(payload).tokens == 7
    with pytest.raises(StageContractError) as refused:
        TypedStageOutput(Answer, strict=True).validate(payload)
    assert refused.value.path == "tokens"
    assert "converts nothing" in refused.value.hint


def test_a_strict_model_is_strict_without_being_told_to():
    class Strict(Answer):
        model_config = ConfigDict(strict=True)

    with pytest.raises(StageContractError, match="at tokens"):
        TypedStageOutput(Strict).validate({**ANSWER, "tokens": "7"})


@pytest.mark.parametrize("make", ["validate", "serialize", "ok"])
def test_a_payload_that_does_not_fit_is_refused_with_its_path(make):
    with pytest.raises(StageContractError) as refused:
        getattr(TypedStageOutput(Answer), make)({**ANSWER, "score": "high"})
    assert refused.value.code == "CONTRACT-OUTPUT"
    assert refused.value.path == "score"
    assert refused.value.message.startswith("The payload is no Answer at score: expected a valid")


@pytest.mark.parametrize("payload", [None, 5, "text", [ANSWER], Answer, Record])
def test_a_payload_that_is_neither_mapping_nor_model_is_a_type_error(payload):
    for make in ("validate", "serialize", "ok"):
        with pytest.raises(StageReturnTypeError, match="neither a mapping nor Answer") as refused:
            getattr(TypedStageOutput(Answer), make)(payload)
        assert isinstance(refused.value, TypeError)


def test_an_instance_of_another_model_is_a_type_error():
    class Other(BaseModel):
        text: str

    with pytest.raises(StageReturnTypeError, match="The payload is .*Other"):
        TypedStageOutput(Answer).ok(Other(text="x"))


def test_the_form_is_ready_for_json_and_reads_back_as_the_same():
    form = TypedStageOutput(Record).serialize(RECORD)
    assert json.loads(json.dumps(form, allow_nan=False)) == form
    assert form["wordCount"] == 3
    assert form["words_and_more"] == 4
    again = read_as(Record, form, stage="a", reader="b")
    assert again == Record(**RECORD)


def test_the_form_keeps_the_contract_of_its_own_model():
    class Exact(Record):
        model_config = ConfigDict(extra="forbid")

    for model in (Record, Exact):
        Contract(model, "maker").check(TypedStageOutput(model).ok(RECORD).data)


def test_the_config_decides_on_aliases_where_it_speaks_of_them():
    class ByName(BaseModel):
        model_config = ConfigDict(serialize_by_alias=False, validate_by_name=True)
        word_count: int = Field(alias="wordCount")

    assert TypedStageOutput(ByName).serialize({"wordCount": 1}) == {"word_count": 1}


def test_an_ok_output_has_the_form_as_its_data():
    output = TypedStageOutput(Answer).ok(Answer(**ANSWER))
    assert output.status is StageStatus.OK
    assert output.data == ANSWER
    assert output.version is None


def test_secrets_stay_secret():
    class Login(BaseModel):
        password: SecretStr

    assert "hunter2" not in str(TypedStageOutput(Login).ok({"password": "hunter2"}))


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    ("wrap", "path"),
    [
        (lambda number: {"deep": [{"x": 1.0, "y": number}]}, "value.deep.0.y"),
        (lambda number: [0.0, number], "value.1"),
        (lambda number: number, "value"),
    ],
)
def test_a_number_that_json_has_not_is_refused_with_its_path(wrap, path, number):
    class Measured(BaseModel):
        value: dict[str, list[dict[str, float]]] | list[float] | float

    with pytest.raises(StageContractError) as refused:
        TypedStageOutput(Measured).ok({"value": wrap(number)})
    assert refused.value.path == path
    assert refused.value.got == "NaN or Infinity"


class Formless(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    fine: int = 1
    raw: bytes = b""
    thing: object = None
    divided: int = 1

    @field_serializer("divided")
    def _divide(self, divided: int) -> float:
        return 1 / divided


@pytest.mark.parametrize(
    ("payload", "path", "says"),
    [
        ({"raw": b"\xff"}, "raw", "UnicodeDecodeError"),
        ({"thing": object()}, "thing", "PydanticSerializationError"),
        ({"divided": 0}, "divided", "division by zero"),
    ],
)
def test_a_value_without_a_form_in_json_is_refused_with_its_path(payload, path, says):
    with pytest.raises(StageContractError) as refused:
        TypedStageOutput(Formless).ok(payload)
    assert refused.value.path == path
    assert says in refused.value.got
    assert "has no JSON form as Formless" in refused.value.message
    assert refused.value.__cause__ is not None


def test_a_model_whose_form_is_no_mapping_is_refused():
    with pytest.raises(StageReturnTypeError, match="is written as list"):
        TypedStageOutput(RootModel[list[int]]).ok(RootModel[list[int]]([1]))
    assert TypedStageOutput(RootModel[dict[str, int]]).serialize({"a": 1}) == {"a": 1}


def test_the_context_reaches_validators_and_serializers():
    class Priced(BaseModel):
        price: int

        @field_validator("price")
        @classmethod
        def _at_least(cls, price, info):
            if price < info.context["least"]:
                raise ValueError("too cheap")
            return price

        @field_serializer("price")
        def _add_tax(self, price, info) -> int:
            return price + info.context["tax"]

    typed = TypedStageOutput(Priced, context={"least": 5, "tax": 2})
    assert typed.serialize({"price": 5}) == {"price": 7}
    with pytest.raises(StageContractError, match="too cheap"):
        typed.ok({"price": 4})


def test_the_version_is_that_given_or_the_default_or_a_new_one_each_time():
    numbers = iter(["1", "2"])
    assert TypedStageOutput(Answer, default_version="7").ok(ANSWER).version == "7"
    assert TypedStageOutput(Answer, default_version="7").ok(ANSWER, version="8").version == "8"
    made = TypedStageOutput(Answer, version_factory=lambda: next(numbers))
    assert [made.ok(ANSWER, version=given).version for given in (None, "x", None)] == [
        "1",
        "x",
        "2",
    ]


def test_two_sources_of_versions_are_refused():
    with pytest.raises(StageDefinitionError, match="both default_version= and version_factory="):
        TypedStageOutput(Answer, default_version="", version_factory=timestamp_version)
    assert issubclass(StageDefinitionError, (StageflowError, ValueError))


@pytest.mark.parametrize("model", [dict, Answer(**ANSWER), None])
def test_what_is_no_model_is_refused(model):
    with pytest.raises(StageDefinitionError, match="no model"):
        TypedStageOutput(model)


def test_timestamp_versions_sort_by_time_to_the_microsecond(monkeypatch):
    moments = [
        datetime(2026, 1, 2, 3, 4, 5, 0, UTC),
        datetime(2026, 1, 2, 3, 4, 5, 9, UTC),
        datetime(2026, 1, 2, 3, 4, 5, 10, UTC),
        datetime(2026, 11, 2, tzinfo=UTC),
    ]
    times = iter(moments)
    monkeypatch.setattr("stageflow_actors.contracts.typed_output.utc_now", lambda: next(times))
    versions = [timestamp_version() for _ in moments]
    assert versions == sorted(versions)
    assert len(set(versions)) == len(moments)
    assert datetime.fromisoformat(versions[1]) == moments[1]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", versions[0])


def test_timestamp_versions_are_those_of_now():
    before = datetime.now(UTC)
    made = TypedStageOutput(Answer, version_factory=TypedStageOutput.timestamp_version).ok(ANSWER)
    assert before <= datetime.fromisoformat(made.version) <= datetime.now(UTC)


async def later():
    return ANSWER


@pytest.mark.parametrize("source", [ANSWER, Answer(**ANSWER), later, lambda: ANSWER])
async def test_asynchronous_variants_take_payloads_and_what_gives_them(source):
    typed = TypedStageOutput(Answer, default_version="1")
    assert await typed.validate_async(source) == Answer(**ANSWER)
    assert await typed.serialize_async(source) == ANSWER
    assert (await typed.ok_async(source)).version == "1"
    assert (await typed.ok_async(later(), version="2")).version == "2"


async def test_asynchronous_variants_refuse_the_same():
    async def wrong():
        return 5

    typed = TypedStageOutput(Answer)
    for make in (typed.validate_async, typed.serialize_async, typed.ok_async):
        with pytest.raises(StageReturnTypeError):
            await make(wrong)
        with pytest.raises(StageContractError):
            await make({})


def test_the_model_is_registered_under_the_version_of_its_outputs():
    registry = ContractRegistry()
    typed = TypedStageOutput(Answer, default_version="1")
    entry = typed.register_contract(registry, stage="ask", description="what was answered")
    assert (entry.stage, entry.version, entry.model) == ("ask", "1", Answer)
    assert entry.description == "what was answered"
    assert registry.get("ask", "1") is entry
    assert typed.register_contract(registry, stage="ask", version="2").version == "2"
    with pytest.raises(StageDefinitionError, match="has no version"):
        TypedStageOutput(Answer).register_contract(registry, stage="ask")
