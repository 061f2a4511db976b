"""What every record promises: frozen, comparable, and its raw response stays where it is."""

from __future__ import annotations

import copy
import json
import pickle
import threading

import cloudpickle
import pytest
from pydantic import ValidationError

from stageflow_actors.errors import FrozenDataError
from stageflow_actors.providers import LLMResponse, ProviderResponse
from stageflow_actors.providers.response import CallFields
from tests.providers.samples import RECORDS, SAID, kind_of

SECRET = "only the client library knows"


class Raw:
    """Cannot be pickled, copied or compared, as is usual for responses of client libraries."""

    def __init__(self):
        self.lock = threading.Lock()

    def __repr__(self):
        return SECRET

    def __eq__(self, other):
        raise AssertionError("compared")

    __hash__ = None


@pytest.fixture
def raw():
    return Raw()


@pytest.fixture
def record(raw):
    return LLMResponse(content="Hi", model="m", provider="p", raw_response=raw)


def test_raw_response_is_reachable_in_the_process_that_made_the_record(record, raw):
    assert record.raw_response is raw


def test_raw_response_is_none_where_none_was_given():
    assert ProviderResponse(provider="p", operation="o").raw_response is None


@pytest.mark.parametrize(
    "form",
    [
        repr,
        str,
        lambda r: repr(r.to_dict()),
        lambda r: repr(r.model_dump()),
        lambda r: r.model_dump_json(),
        lambda r: repr(r.model_json_schema()),
        lambda r: repr(dict(r)),
        lambda r: repr(vars(r)),
        lambda r: repr(r.to_otel_attributes()),
    ],
)
def test_raw_response_is_in_no_form_of_the_record(record, form):
    assert SECRET not in form(record)
    assert "raw_response" not in form(record)


def test_raw_response_is_not_in_the_text_of_a_validation_error(raw):
    with pytest.raises(ValidationError) as refused:
        LLMResponse(content=SAID, provider="p", raw_response=raw)
    assert "model\n  Field required" in str(refused.value)
    assert SECRET not in str(refused.value)
    assert SAID not in str(refused.value)


@pytest.mark.parametrize("library", [pickle, cloudpickle])
def test_a_pickled_record_is_equal_and_has_no_raw_response(record, library):
    unpickled = pickle.loads(library.dumps(record))
    assert unpickled == record
    assert unpickled.raw_response is None


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda r: r.model_copy()])
def test_a_copied_record_is_equal_and_has_no_raw_response(record, duplicate):
    assert duplicate(record) == record
    assert duplicate(record).raw_response is None


def test_records_with_different_raw_responses_are_equal(record):
    assert record == LLMResponse(content="Hi", model="m", provider="p", raw_response=Raw())
    assert record != LLMResponse(content="Ho", model="m", provider="p", raw_response=Raw())


def test_raw_response_cannot_be_replaced(record, raw):
    with pytest.raises(ValidationError, match="frozen"):
        record.raw_response = None
    assert record.raw_response is raw


@pytest.mark.parametrize("record", RECORDS, ids=kind_of)
def test_no_field_can_be_written(record):
    for name in type(record).model_fields:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(record, name, getattr(record, name))


def parts_of(value):
    yield value
    if hasattr(type(value), "model_fields"):
        children = [getattr(value, name) for name in type(value).model_fields]
    elif isinstance(value, dict):
        children = value.values()
    else:
        children = value if isinstance(value, (list, tuple)) else ()
    for child in children:
        yield from parts_of(child)


@pytest.mark.parametrize("record", RECORDS, ids=kind_of)
def test_nothing_inside_can_be_written(record):
    for part in parts_of(record):
        if isinstance(part, dict):
            with pytest.raises(FrozenDataError):
                part["new"] = 1
        elif isinstance(part, list):
            with pytest.raises(FrozenDataError):
                part.append(1)
        elif hasattr(type(part), "model_fields"):
            assert part.model_config["frozen"]


def test_what_was_passed_in_stays_the_callers(record):
    calls = [{"name": "find", "arguments": {"words": ["a"]}}]
    made = LLMResponse(content="", model="m", provider="p", tool_calls=calls)
    calls[0]["arguments"]["words"].append("b")
    assert made.tool_calls == [{"name": "find", "arguments": {"words": ["a"]}}]


def test_default_containers_cannot_be_written_either(record):
    with pytest.raises(FrozenDataError):
        record.tool_calls.append({})


def test_repr_leaves_out_what_is_not_set(record):
    assert (
        repr(record) == "LLMResponse(provider='p', operation='chat', model='m', usage=Usage(), "
        "content='Hi', tool_calls=[])"
    )


@pytest.mark.parametrize("record", RECORDS, ids=kind_of)
def test_json_form_comes_back_as_an_equal_record(record):
    text = json.dumps(record.to_dict(), allow_nan=False)
    assert json.loads(text) == record.to_dict()
    assert type(record).from_dict(json.loads(text)) == record


@pytest.mark.parametrize("record", RECORDS, ids=kind_of)
def test_pickled_record_of_every_kind_is_equal(record):
    assert pickle.loads(pickle.dumps(record)) == record


def test_call_fields_are_the_optional_fields_of_a_response():
    optional = set(ProviderResponse.model_fields) - {"provider", "model"}
    assert set(CallFields.__annotations__) == optional | {"raw_response"}
