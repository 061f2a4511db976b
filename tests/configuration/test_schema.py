"""The JSON Schema accepts what the reader accepts, and refuses what it refuses."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml

from stageflow_actors.configuration.schema import file_schema
from tests.configuration.test_options import EVERYTHING

EXAMPLE = Path(__file__).parents[2] / "examples" / "configured" / "help_desk.yaml"


@pytest.fixture(scope="module")
def validator():
    schema = file_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def data_of(text):
    return yaml.safe_load(text.replace("@", "tests.configuration.stages:"))


@pytest.mark.parametrize("text", [EVERYTHING, EXAMPLE.read_text("utf-8")], ids=["all", "example"])
def test_files_that_can_be_used_fit_the_schema(validator, text):
    data = data_of(text)
    validator.validate(data)
    data.pop("name")
    validator.validate({"pipelines": {"a": data}, "x-parts": [1]})


@pytest.mark.parametrize(
    "text",
    [
        "stages: {a: {runner: @passes, timout: 3}}",
        "stages: {a: {kind: work}}",
        "stages: {a: {runner: passes}}",
        "stages: {a: {runner: @passes, kind: wrk}}",
        "stages: {a: {runner: @passes, retry: {max_attempts: 0}}}",
        "stages: {a: {runner: @passes, timeout: {attempt: -1}}}",
        "stages: {a: {runner: @passes, after: 3}}",
        "pipelines: {a: {name: a, stages: {}}}",
        "other: 1",
    ],
)
def test_files_that_cannot_be_used_do_not_fit_the_schema(validator, text):
    assert not validator.is_valid(data_of(text))


def test_every_option_of_a_stage_is_described():
    options = file_schema()["$defs"]["StageEntry"]["properties"]
    described = {name for name, each in options.items() if "description" in each}
    nested = {name for name, each in options.items() if "$ref" in str(each)}
    assert set(options) == described | nested
