"""Input that is refused names where it is; input that is odd but fine comes back unchanged."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import pytest
from pydantic import ValidationError

from stageflow_actors.providers import (
    Cost,
    EmbeddingResponse,
    LLMResponse,
    ProviderResponse,
    RateLimit,
    RerankResponse,
    STTResponse,
    TTSResponse,
    Usage,
)
from tests.providers.samples import CALL, RECORDS, kind_of

NAN = float("nan")
INFINITY = float("inf")
LLM = {"content": "", "model": "m", "provider": "p"}


def paths_of(error):
    return [".".join(map(str, part["loc"])) for part in error.errors()]


def refused_at(path, make, *args, **fields):
    with pytest.raises(ValidationError) as refused:
        make(*args, **fields)
    assert paths_of(refused.value) == [path]


@pytest.mark.parametrize("name", sorted(Usage.model_fields))
@pytest.mark.parametrize("count", [-1, "1", True, NAN, INFINITY, [1]])
def test_a_count_that_is_none_is_refused(name, count):
    refused_at(name, Usage, **{name: count})


def test_a_count_beyond_an_attribute_is_refused():
    assert Usage(input_tokens=2**63 - 1).input_tokens == 2**63 - 1
    refused_at("input_tokens", Usage, input_tokens=2**63)


@pytest.mark.parametrize("name", ["latency_ms", "time_to_first_output_ms"])
@pytest.mark.parametrize("time", [NAN, INFINITY, -0.5, "3", True])
def test_a_time_that_is_none_is_refused(name, time):
    refused_at(name, LLMResponse, **LLM, **{name: time})


def test_a_bad_flat_count_is_refused_in_usage():
    refused_at("usage.input_tokens", LLMResponse, **LLM, input_tokens=-1)
    refused_at("usage.characters", TTSResponse, provider="p", characters_processed=-1)


@pytest.mark.parametrize("label", ["", "  ", "\ud800", 5, b"x"])
@pytest.mark.parametrize("name", ["provider", "model", "operation", "request_id", "finish_reason"])
def test_a_label_that_cannot_be_an_attribute_is_refused(name, label):
    refused_at(name, ProviderResponse, **{"provider": "p", "operation": "o", name: label})


@pytest.mark.parametrize("record", RECORDS, ids=kind_of)
def test_unknown_fields_are_refused_by_constructor_and_dict(record):
    fields = {name: getattr(record, name) for name in type(record).model_fields}
    refused_at("latency", type(record), **fields, latency=3.0)
    refused_at("latency", type(record).from_dict, {**record.to_dict(), "latency": 3.0})


@pytest.mark.parametrize("amount", ["-0.01", "NaN", "Infinity", "1E+400", "much", None, True])
def test_an_amount_of_money_that_is_none_is_refused(amount):
    refused_at("amount", Cost, amount=amount, currency="USD")


def test_an_amount_of_money_is_exact():
    assert Cost(amount=Decimal("0.10"), currency="USD").to_dict()["amount"] == "0.10"
    assert Cost.from_dict({"amount": "0.10", "currency": "USD"}).amount == Decimal("0.10")


@pytest.mark.parametrize("currency", ["usd", "US", "USDT", "", None])
def test_a_currency_that_is_none_is_refused(currency):
    refused_at("currency", Cost, amount="1", currency=currency)


@pytest.mark.parametrize("confidence", [-0.1, 1.1, NAN])
def test_confidence_is_between_zero_and_one(confidence):
    refused_at("confidence", STTResponse, text="", provider="p", confidence=confidence)


def test_errors_deep_inside_name_their_path():
    refused_at(
        "results.1.index",
        RerankResponse,
        provider="p",
        results=[{"index": 0, "score": 1.0}, {"index": -1, "score": 1.0}],
    )
    refused_at("vectors.0.1", EmbeddingResponse, provider="p", vectors=[[1.0, "2"]])
    refused_at("rate_limit.reset_ms", LLMResponse, **LLM, rate_limit={"reset_ms": NAN})


def test_objects_among_tool_calls_are_refused_with_their_path():
    calls = [{}, {"arguments": {"when": [1, object()]}}]
    with pytest.raises(ValidationError, match=r"data\[1\]\['arguments'\]\['when'\]\[1\] is no"):
        LLMResponse(**LLM, tool_calls=calls)


def test_tool_calls_that_contain_themselves_are_refused():
    call: dict = {}
    call["self"] = call
    with pytest.raises(ValidationError, match="contains itself"):
        LLMResponse(**LLM, tool_calls=[call])


def test_tool_calls_ten_thousand_levels_deep_are_refused():
    deep: dict = {}
    for _ in range(10_000):
        deep = {"deeper": deep}
    with pytest.raises(ValidationError, match="nested deeper"):
        LLMResponse(**LLM, tool_calls=[deep])
    with pytest.raises(ValidationError, match="nested deeper"):
        LLMResponse.from_dict({**LLM, "tool_calls": [deep]})


@pytest.mark.parametrize("value", [NAN, INFINITY, -INFINITY])
def test_json_refuses_what_a_run_may_have(value):
    called = LLMResponse(**LLM, tool_calls=[{"arguments": {"x": [0, value]}}])
    refused_at("tool_calls.0.arguments.x.1", called.to_dict)
    embedded = EmbeddingResponse(provider="p", vectors=[[0.0, 1.0], [0.0, value]])
    refused_at("vectors.1.1", embedded.to_dict)
    ranked = RerankResponse(provider="p", results=[{"index": 0, "score": value}])
    refused_at("results.0.score", ranked.to_dict)


@pytest.mark.parametrize("value", [date(2026, 1, 1), Decimal(1), (1, 2), {1}, b"x", 1j], ids=repr)
def test_json_refuses_plain_data_that_would_come_back_as_something_else(value):
    called = LLMResponse(**LLM, tool_calls=[{"arguments": value}])
    refused_at("tool_calls.0.arguments", called.to_dict)


def test_json_refuses_keys_that_are_no_strings():
    forged = {**LLM, "tool_calls": [{7: 1}]}
    refused_at("tool_calls.0.7.[key]", LLMResponse.from_dict, forged)
    nested = LLMResponse(**LLM, tool_calls=[{"arguments": {7: 1}}])
    refused_at("tool_calls.0.arguments.7", nested.to_dict)


@pytest.mark.parametrize(
    "call",
    [
        {"\ud800": "\udfff\x00"},
        {"k" * 1_000_000: ""},
        {"huge": 10**300, "tiny": 5e-324, "minus zero": -0.0},
        {"nested": [[[[{"": None}]]]]},
    ],
    ids=["lone surrogates", "long key", "numbers", "nested"],
)
def test_odd_data_comes_back_unchanged(call):
    called = LLMResponse(**{**LLM, "content": "\ud800"}, tool_calls=[call])
    assert LLMResponse.from_dict(json.loads(json.dumps(called.to_dict()))) == called


@pytest.mark.parametrize("data", [None, 5, "x", [], [("content", "x")]])
def test_a_dict_that_is_none_is_refused(data):
    refused_at("", LLMResponse.from_dict, data)


def test_a_dict_with_a_raw_response_is_refused():
    refused_at("raw_response", LLMResponse.from_dict, {**LLM, "raw_response": {}})


def test_a_dict_with_audio_is_refused_where_json_has_no_bytes():
    refused_at("audio", TTSResponse.from_dict, {"provider": "p", "audio": "AAAA"})


def test_missing_fields_are_named():
    with pytest.raises(ValidationError) as refused:
        LLMResponse.from_dict({})
    assert paths_of(refused.value) == ["provider", "model", "content"]


def test_a_rate_limit_may_be_known_in_part():
    assert RateLimit(remaining=0).to_dict() == {"limit": None, "remaining": 0, "reset_ms": None}
    assert LLMResponse(**LLM, rate_limit=RateLimit(remaining=0)).to_dict()["rate_limit"] == {
        "remaining": 0
    }


def test_every_field_of_a_call_is_in_the_samples_or_the_tests_above_mean_less():
    assert set(CALL) | {"operation"} == set(ProviderResponse.model_fields)
