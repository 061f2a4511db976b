"""Contracts by stage and version."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from pydantic import BaseModel

from stageflow_actors.contracts import ContractCompatibilityReport, ContractRegistry
from stageflow_actors.errors import FrozenDataError, StageDefinitionError
from tests.contracts.samples import Answer, Transcript


class AnswerOf2(BaseModel):
    text: str
    tokens: float
    score: float
    final: bool


def same_class_again(module=__name__):
    fields = {"text": str, "tokens": int}
    return type("Answer", (BaseModel,), {"__annotations__": fields, "__module__": module})


def test_what_was_registered_is_found():
    registry = ContractRegistry()
    before = datetime.now(UTC)
    entry = registry.register(stage="ask", version="1", model=Answer, description="an answer")
    assert registry.get("ask", "1") is entry
    assert (entry.stage, entry.version, entry.model) == ("ask", "1", Answer)
    assert entry.description == "an answer"
    assert entry.schema == Answer.model_json_schema()
    assert before <= entry.created_at <= datetime.now(UTC)
    assert registry.get("ask", "2") is registry.get("tell", "1") is None


def test_two_registries_know_nothing_of_each_other():
    first, second = ContractRegistry(), ContractRegistry()
    first.register(stage="ask", version="1", model=Answer)
    assert second.list() == []


def test_the_schema_is_plain_json_and_read_only():
    entry = ContractRegistry().register(stage="ask", version="1", model=Transcript)
    assert json.loads(json.dumps(entry.schema)) == Transcript.model_json_schema()
    with pytest.raises(FrozenDataError):
        entry.schema["properties"]["words"]["type"] = "string"


def test_the_same_model_again_is_the_same_entry():
    registry = ContractRegistry()
    entry = registry.register(stage="ask", version="1", model=Answer)
    assert registry.register(stage="ask", version="1", model=Answer, description="x") is entry
    registry.register(stage="ask", version="2", model=same_class_again())
    registry.register(stage="ask", version="2", model=same_class_again())


def test_another_model_under_a_version_is_refused_and_both_are_named():
    registry = ContractRegistry()
    registry.register(stage="ask", version="1", model=Answer)
    for other in (Transcript, same_class_again()):
        with pytest.raises(StageDefinitionError) as refused:
            registry.register(stage="ask", version="1", model=other)
        assert refused.value.code == "CONTRACT-REGISTERED"
        assert "tests.contracts.samples.Answer" in refused.value.message
        assert f"{other.__module__}.{other.__qualname__}" in refused.value.message
    assert registry.get("ask", "1").model is Answer


def test_the_same_schema_from_another_module_is_another_model():
    registry = ContractRegistry()
    registry.register(stage="ask", version="1", model=same_class_again())
    with pytest.raises(StageDefinitionError, match="elsewhere.Answer"):
        registry.register(stage="ask", version="1", model=same_class_again("elsewhere"))


def test_the_same_name_with_another_schema_is_another_model():
    registry = ContractRegistry()
    first = type("Made", (BaseModel,), {"__annotations__": {"a": int}, "__module__": __name__})
    second = type("Made", (BaseModel,), {"__annotations__": {"a": str}, "__module__": __name__})
    registry.register(stage="ask", version="1", model=first)
    with pytest.raises(StageDefinitionError, match="cannot become"):
        registry.register(stage="ask", version="1", model=second)


@pytest.mark.parametrize(
    "given",
    [
        {"stage": ""}, {"stage": None}, {"version": " "}, {"version": 1},
        {"model": dict}, {"model": Answer.model_construct()}, {"model": "Answer"},
    ],
    ids=repr,
)  # fmt: skip
def test_what_cannot_be_an_entry_is_refused(given):
    registry = ContractRegistry()
    with pytest.raises(StageDefinitionError):
        registry.register(**{"stage": "ask", "version": "1", "model": Answer, **given})
    assert registry.list() == []


def test_a_model_that_no_schema_describes_is_refused():
    class Called(BaseModel):
        back: Callable[[], int]

    with pytest.raises(StageDefinitionError, match="No JSON Schema describes Called") as refused:
        ContractRegistry().register(stage="ask", version="1", model=Called)
    assert "WithJsonSchema" in refused.value.hint


def test_the_list_is_sorted_by_stage_and_version_numbers_as_numbers():
    registry = ContractRegistry()
    for stage, version in [("b", "1"), ("a", "v10"), ("a", "v9"), ("a", "v9.1"), ("a", "10")]:
        registry.register(stage=stage, version=version, model=Answer)
    assert [(e.stage, e.version) for e in registry.list()] == [
        ("a", "10"), ("a", "v9"), ("a", "v9.1"), ("a", "v10"), ("b", "1"),
    ]  # fmt: skip
    assert [entry.version for entry in registry.list("b")] == ["1"]
    assert registry.list("c") == []


def test_threads_that_register_at_once_agree_on_one_model():
    registry = ContractRegistry()
    models = [Answer, Transcript, AnswerOf2] * 20

    def register(model):
        try:
            return registry.register(stage="ask", version="1", model=model)
        except StageDefinitionError:
            return None

    with ThreadPoolExecutor(8) as threads:
        entries = [entry for entry in threads.map(register, models) if entry is not None]
    assert {id(entry) for entry in entries} == {id(registry.get("ask", "1"))}
    assert len(entries) == 20


def test_a_diff_tells_what_breaks_and_what_is_worth_knowing():
    registry = ContractRegistry()
    registry.register(stage="ask", version="1", model=Answer)
    registry.register(stage="ask", version="2", model=AnswerOf2)
    report = registry.diff("ask", "1", "2")
    assert not report.is_compatible
    assert report.breaking_changes == ("language: field removed",)
    assert report.warnings == ("tokens: type widened from integer to number",)
    assert report.summary() == (
        "ask 1 -> 2: breaking (1 breaking, 1 warning)\n"
        "  breaking: language: field removed\n"
        "  warning: tokens: type widened from integer to number"
    )


def test_a_diff_to_itself_is_compatible():
    registry = ContractRegistry()
    registry.register(stage="ask", version="1", model=Transcript)
    report = registry.diff("ask", "1", "1")
    assert report == ContractCompatibilityReport("ask", "1", "1")
    assert report.is_compatible
    assert report.summary() == "ask 1 -> 1: compatible (0 breaking, 0 warnings)"


def test_a_diff_with_an_unknown_version_is_an_error_that_lists_those_there_are():
    registry = ContractRegistry()
    registry.register(stage="ask", version="1", model=Answer)
    for versions in (("1", "2"), ("2", "1")):
        with pytest.raises(StageDefinitionError, match="registered: 1") as unknown:
            registry.diff("ask", *versions)
        assert unknown.value.code == "CONTRACT-UNKNOWN"
    with pytest.raises(StageDefinitionError, match="registered: none"):
        registry.diff("tell", "1", "2")
