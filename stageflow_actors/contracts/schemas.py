"""JSON Schemas of models and of whole pipelines, and the contracts on the edges of a pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind, models_json_schema

from stageflow_actors.errors import StageDefinitionError
from stageflow_actors.model.checking.checks import RUN_INPUT, Contract
from stageflow_actors.model.stage import StageSpec

JsonSchema = dict[str, Any]


def json_schema(model: type[BaseModel]) -> JsonSchema:
    """The JSON Schema of the data that ``model`` accepts.

    Raises:
        StageDefinitionError: ``model`` is no model, or has types that no schema describes.
    """
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise StageDefinitionError(
            f"{model!r} is no model.", hint="Pass a class derived from pydantic.BaseModel."
        )
    try:
        return model.model_json_schema(schema_generator=_WithoutWarnings)
    except Exception as error:
        raise _no_schema([model], error) from error


def input_schema(specs: Sequence[StageSpec]) -> JsonSchema:
    """What the input of a run has to be: all that the input models of the root stages ask for.

    A root stage is one without dependencies; it reads ``input_text``, ``input_audio_duration_ms``
    and the keys of the run's data.

    Raises:
        StageDefinitionError: a model has types that no schema describes.
    """
    models = [contract.model for contract in input_contracts(specs).values()]
    asked = [*dict.fromkeys(models)]
    if len(asked) == 1:
        return json_schema(asked[0])
    refs, definitions = _schemas_of(asked)
    every = {"allOf": [refs[model] for model in asked]} if asked else {}
    return {"type": "object", **every, **definitions}


def output_schema(specs: Sequence[StageSpec]) -> JsonSchema:
    """What a run returns: an object with a property per last stage, which no stage reads.

    A last stage without an output model has the property ``{}``. None is required: a stage that
    skipped has no data to speak of.

    Raises:
        StageDefinitionError: a model has types that no schema describes.
    """
    read = {dependency for spec in specs for dependency in spec.dependencies}
    last = [spec for spec in specs if spec.name not in read]
    models = [spec.output_model for spec in last if spec.output_model is not None]
    refs, definitions = _schemas_of([*dict.fromkeys(models)])
    properties = {
        spec.name: {} if spec.output_model is None else refs[spec.output_model] for spec in last
    }
    return {"type": "object", "properties": properties, **definitions}


def edge_contracts(specs: Sequence[StageSpec]) -> dict[str, tuple[Contract, ...]]:
    """For every stage the contracts on its output: its own first, then those of its readers."""
    contracts: dict[str, list[Contract]] = {spec.name: [] for spec in specs}
    for spec in specs:
        if spec.output_model is not None:
            contracts[spec.name].append(Contract(spec.output_model, spec.name))
    for spec in specs:
        for dependency in spec.dependencies:
            model = _input_model(spec, dependency)
            if model is not None and dependency in contracts:
                contracts[dependency].append(Contract(model, dependency, spec.name))
    return {name: tuple(of_stage) for name, of_stage in contracts.items()}


def input_contracts(specs: Iterable[StageSpec]) -> dict[str, Contract]:
    """The contract of every root stage with an input model: on the input of the run."""
    return {
        spec.name: Contract(spec.input_model, RUN_INPUT, spec.name)
        for spec in specs
        if not spec.dependencies
        and spec.input_model is not None
        and not isinstance(spec.input_model, Mapping)
    }


def _input_model(spec: StageSpec, dependency: str) -> type[BaseModel] | None:
    if isinstance(spec.input_model, Mapping):
        return spec.input_model.get(dependency)
    return spec.input_model


def _schemas_of(
    models: Sequence[type[BaseModel]],
) -> tuple[dict[type[BaseModel], JsonSchema], JsonSchema]:
    """The schema of each model as a reference, and the definitions that these refer to."""
    if not models:
        return {}, {}
    try:
        refs, definitions = models_json_schema(
            [(model, "validation") for model in models], schema_generator=_WithoutWarnings
        )
    except Exception as error:
        raise _no_schema(models, error) from error
    return {model: refs[model, "validation"] for model in models}, definitions


def _no_schema(models: Sequence[type[BaseModel]], error: Exception) -> StageDefinitionError:
    names = ", ".join(model.__name__ for model in models)
    return StageDefinitionError(
        f"No JSON Schema describes {names}: {type(error).__name__}: {error}",
        hint="Annotate the type at fault with pydantic.WithJsonSchema(...).",
    )


class _WithoutWarnings(GenerateJsonSchema):
    """Leaves out what JSON cannot say, such as a default that is a Python object, silently."""

    def emit_warning(self, kind: JsonSchemaWarningKind, detail: str) -> None:
        """Say nothing."""
