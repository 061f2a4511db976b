"""The schemas of a pipeline, and the contracts on its edges."""

from __future__ import annotations

from collections.abc import Callable

import jsonschema
import pytest
from pydantic import BaseModel, ConfigDict, Field

from stageflow_actors import Pipeline
from stageflow_actors.contracts import (
    RUN_INPUT,
    Contract,
    edge_contracts,
    input_contracts,
    input_schema,
    output_schema,
)
from stageflow_actors.errors import StageDefinitionError
from stageflow_actors.model.kind import StageKind
from stageflow_actors.model.stage import StageSpec
from tests.contracts.samples import Answer, Transcript, Word


class Asked(BaseModel):
    input_text: str
    words: list[Word] = []


class Heard(BaseModel):
    input_audio_duration_ms: int = Field(ge=0)
    words: list[Word] = []


async def work(ctx):
    return None


def stage(name, *dependencies, **options):
    return StageSpec(name, work, StageKind.WORK, dependencies, **options)


def accepts(schema, data):
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema).is_valid(data)


def test_the_input_schema_is_that_of_the_only_model_of_a_root_stage():
    specs = [
        stage("ask", input_model=Asked, output_model=Answer),
        stage("listen"),
        stage("show", "ask", input_model=Answer),
    ]
    assert input_schema(specs) == Asked.model_json_schema()


def test_several_root_stages_ask_for_all_that_their_models_say():
    specs = [
        stage("ask", input_model=Asked),
        stage("again", input_model=Asked),
        stage("listen", input_model=Heard),
    ]
    schema = input_schema(specs)
    assert schema["type"] == "object"
    assert len(schema["allOf"]) == 2
    assert accepts(schema, {"input_text": "x", "input_audio_duration_ms": 5, "more": 1})
    assert not accepts(schema, {"input_text": "x"})
    assert not accepts(schema, {"input_audio_duration_ms": 5})
    assert not accepts(schema, {"input_text": "x", "input_audio_duration_ms": 5, "words": [{}]})


def test_a_stage_that_only_comes_after_others_reads_the_input_of_the_run():
    specs = [stage("ask"), stage("log", after=("ask",), input_model=Asked)]
    assert input_schema(specs) == Asked.model_json_schema()
    assert input_contracts(specs) == {"log": Contract(Asked, RUN_INPUT, "log")}


def test_without_input_models_any_object_is_an_input():
    assert input_schema([stage("ask"), stage("show", "ask", input_model=Answer)]) == {
        "type": "object"
    }
    assert input_schema([]) == {"type": "object"}


def test_the_output_schema_has_a_property_per_stage_that_nobody_reads():
    specs = [
        stage("ask", output_model=Asked),
        stage("show", "ask", output_model=Answer),
        stage("hear", "ask", output_model=Transcript),
        stage("log", "ask"),
        stage("clean", after_any=("show",)),
    ]
    schema = output_schema(specs)
    assert list(schema["properties"]) == ["show", "hear", "log", "clean"]
    assert schema["properties"]["log"] == schema["properties"]["clean"] == {}
    answer = {"text": "x", "tokens": 1, "score": 1.0, "final": True}
    assert accepts(schema, {"show": answer, "hear": {"words": []}, "log": 5})
    assert accepts(schema, {})
    assert not accepts(schema, {"show": {**answer, "tokens": "x"}})
    assert not accepts(schema, {"hear": {"words": [{"text": "x"}]}})


def test_models_of_the_same_name_stay_apart_in_one_schema():
    def answer(annotation):
        return type("Answer", (BaseModel,), {"__annotations__": {"text": annotation}})

    one, other = answer(str), answer(int)
    schema = output_schema([stage("one", output_model=one), stage("other", output_model=other)])
    assert accepts(schema, {"one": {"text": "x"}, "other": {"text": 1}})
    assert not accepts(schema, {"one": {"text": 1}})
    assert not accepts(schema, {"other": {"text": "x"}})


def test_a_pipeline_without_stages_has_an_output_without_properties():
    assert output_schema([]) == {"type": "object", "properties": {}}


def test_the_schemas_of_a_pipeline_come_from_its_stages():
    pipeline = (
        Pipeline("ask")
        .with_stage("ask", work, "work", input_model=Asked)
        .with_stage("show", work, "work", "ask", output_model=Answer)
    )
    for made in (pipeline, pipeline.build()):
        assert made.input_schema() == input_schema(made.specs) == Asked.model_json_schema()
        assert made.output_schema() == output_schema(made.specs)
        assert list(made.output_schema()["properties"]) == ["show"]


def test_a_model_without_a_schema_is_refused_by_name():
    class Called(BaseModel):
        back: Callable[[], int]

    for make, option in ((input_schema, "input_model"), (output_schema, "output_model")):
        with pytest.raises(StageDefinitionError, match="Called"):
            make([stage("ask", **{option: Called}), stage("too", **{option: Answer})])


def test_a_default_that_json_has_not_is_left_out_of_the_schema():
    class Odd(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        anything: object = object()

    assert input_schema([stage("ask", input_model=Odd)])["properties"] == {
        "anything": {"title": "Anything"}
    }


def test_edges_have_the_contract_of_the_stage_first_and_then_those_of_its_readers():
    specs = [
        stage("show", "ask", input_model=Answer),
        stage("ask", output_model=Transcript),
        stage("both", "ask", "other", input_model={"other": Word, "ask": Asked}),
        stage("some", "ask", "other", input_model={"other": Heard}),
        stage("other"),
        stage("late", after=("ask",), input_model=Asked),
    ]
    assert edge_contracts(specs) == {
        "show": (),
        "ask": (
            Contract(Transcript, "ask"),
            Contract(Answer, "ask", "show"),
            Contract(Asked, "ask", "both"),
        ),
        "both": (),
        "some": (),
        "other": (Contract(Word, "other", "both"), Contract(Heard, "other", "some")),
        "late": (),
    }


def test_one_model_for_several_dependencies_is_a_contract_on_each_edge():
    spec = stage("show", "ask", "other")
    object.__setattr__(spec, "input_model", Answer)  # which a declaration refuses
    contracts = edge_contracts([stage("ask"), stage("other"), spec])
    assert contracts["ask"] == (Contract(Answer, "ask", "show"),)
    assert contracts["other"] == (Contract(Answer, "other", "show"),)


def test_a_root_stage_has_no_contract_on_an_edge():
    specs = [stage("ask", input_model=Asked)]
    assert edge_contracts(specs) == {"ask": ()}
    assert input_contracts(specs) == {"ask": Contract(Asked, RUN_INPUT, "ask")}
