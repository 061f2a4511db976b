"""The JSON Schema of files that declare pipelines, for editors and other tools."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from stageflow_actors.configuration.entries import OnePipelineFile, SeveralPipelinesFile

_EXTENSIONS = "^x-"


def file_schema() -> dict[str, Any]:
    """The schema of a whole file, in the form of 2020-12."""
    forms: TypeAdapter[Any] = TypeAdapter(OnePipelineFile | SeveralPipelinesFile)
    schema = forms.json_schema()
    for name in (OnePipelineFile.__name__, SeveralPipelinesFile.__name__):
        schema["$defs"][name]["patternProperties"] = {_EXTENSIONS: {}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Pipelines of stageflow-actors",
        **schema,
    }
