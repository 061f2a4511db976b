"""Reading what another stage made as a model."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, model_validator

from stageflow_actors.contracts import read_as
from stageflow_actors.errors import StageContractError
from stageflow_actors.model.frozen import freeze
from tests.contracts.samples import ANSWER, WORD, Answer, Transcript


def read(model, data):
    return read_as(model, data, stage="maker", reader="show")


def test_data_is_read_as_an_instance():
    answer = read(Answer, freeze(ANSWER)[0])
    assert type(answer) is Answer
    assert answer.text == "Lisbon"
    assert read(Transcript, freeze({"words": [WORD]})[0]).words[0].start == 0.5


def test_values_are_converted_unless_the_model_is_strict():
    class Strict(Answer):
        model_config = ConfigDict(strict=True)

    assert read(Answer, {**ANSWER, "tokens": "7"}).tokens == 7
    with pytest.raises(StageContractError) as broken:
        read(Strict, {**ANSWER, "tokens": "7"})
    assert broken.value.path == "tokens"
    assert "converts nothing" in broken.value.hint


def test_data_that_cannot_be_read_is_an_error_that_names_both_stages():
    with pytest.raises(StageContractError) as broken:
        read(Transcript, {"words": [{**WORD, "start": "x"}]})
    assert broken.value.code == "CONTRACT-INPUT"
    assert broken.value.path == "words.0.start"
    assert broken.value.message.startswith(
        "'show' cannot read 'maker' as Transcript at words.0.start: expected a valid number, "
    )
    assert "converts nothing" not in broken.value.hint


class Tagged(BaseModel):
    model_config = ConfigDict(strict=True)
    tags: set[str]
    when: Any = None


def test_a_strict_model_reads_a_set_that_was_frozen_on_its_way():
    data = freeze({"tags": {"a", "b"}, "when": datetime(2026, 1, 1, tzinfo=UTC)})[0]
    assert type(data["tags"]) is frozenset
    assert read(Tagged, data).tags == {"a", "b"}


def test_a_strict_model_reads_the_json_form_of_its_types():
    class Size(Enum):
        SMALL = "small"

    class Sized(BaseModel):
        model_config = ConfigDict(strict=True)
        size: Size
        when: datetime

    sized = read(Sized, freeze({"size": "small", "when": "2026-01-02T03:04:05Z"})[0])
    assert sized == Sized(size=Size.SMALL, when=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))


def test_bytes_come_back_from_the_text_that_the_model_makes_of_them():
    class Audio(BaseModel):
        model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")
        raw: bytes
        rate: int

    form = {"raw": base64.b64encode(b"\xff\x00").decode(), "rate": 16000}
    assert read(Audio, freeze(form)[0]).raw == b"\xff\x00"
    assert read(Audio, {"raw": b"\xff\x00", "rate": 16000}).raw == b"\xff\x00"
    with pytest.raises(StageContractError, match="at rate: expected a valid integer"):
        read(Audio, {**form, "rate": "fast"})


def test_validators_may_write_to_what_they_get_and_the_data_stays():
    class Renamed(BaseModel):
        new: int

        @model_validator(mode="before")
        @classmethod
        def _rename(cls, data):
            data["new"] = data.pop("old")
            return data

    data = freeze({"old": 1})[0]
    assert read(Renamed, data).new == 1
    assert data == {"old": 1}


def test_an_instance_that_counts_as_false_is_an_instance():
    class Empty(BaseModel):
        model_config = ConfigDict(strict=True)
        when: datetime | None = None

        def __bool__(self):
            return False

    assert type(read(Empty, {})) is Empty
    assert type(read(Empty, {"when": "2026-01-02T03:04:05Z"})) is Empty
