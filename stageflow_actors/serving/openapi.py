"""The OpenAPI document: the routes, with a path and the schemas of each pipeline."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from starlette.routing import BaseRoute

from stageflow_actors.serving.bodies import RunBody
from stageflow_actors.serving.headers import TIMEOUT_HEADER
from stageflow_actors.serving.openai.described import DESCRIBED, OpenAIOperations
from stageflow_actors.serving.openai.models import models_of
from stageflow_actors.serving.schemas import Problem, Run
from stageflow_actors.serving.scopes import RULES, Rule
from stageflow_actors.serving.served import GraphFormat, ServedPipeline

Json = dict[str, Any]

_COMPONENTS = "#/components/schemas/"
_RUNS = "/v1/pipelines/{name}/runs"
_MODEL = "^[A-Za-z0-9][A-Za-z0-9_-]*$"
_OF_TEXT = ("input_text", "input_audio_duration_ms")


def openapi_document(
    routes: Sequence[BaseRoute],
    pipelines: Mapping[str, ServedPipeline],
    *,
    title: str,
    version: str,
    is_guarded: bool,
) -> Json:
    """Every route; starting a run stands there once for each pipeline, with its schemas."""
    document = get_openapi(title=title, version=version, routes=routes)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.clear()  # nothing of it is sent here: the models below are
    models: tuple[type[BaseModel], ...] = (RunBody, Run, Problem, *DESCRIBED)
    for model in models:
        schemas.update(_parts(model.__name__, model.model_json_schema()))
    of_openai = OpenAIOperations(models_of(pipelines).values())
    for rule in RULES:
        operation = document["paths"].get(rule.path, {}).get(rule.method.lower())
        if operation is not None:
            if not of_openai.fill(rule.path, operation):
                operation["responses"] = _answers(rule)
            operation.pop("security", None)
            if rule.scope is not None and is_guarded:
                operation["security"] = [{"bearer": [str(rule.scope)]}]
    _name_parameters(document["paths"], pipelines)
    template = document["paths"].pop(_RUNS)["post"]
    for name, served in pipelines.items():
        schemas.update(_schemas_of(name, served))
        operation = _of_pipeline(template, name)
        document["paths"][_RUNS.replace("{name}", name)] = {"post": operation}
    if is_guarded:
        document["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    return document


def _answers(rule: Rule) -> Json:
    ok: Json = {"description": "Done", "content": {"application/json": {"schema": {}}}}
    run: Json = {"application/json": {"schema": {"$ref": f"{_COMPONENTS}Run"}}}
    stream: Json = {"text/event-stream": {"schema": {"type": "string"}}}
    answers: Json = {"200": ok}
    if rule.path.endswith("/events"):
        answers = {
            "200": {"description": "The events, as they come", "content": stream},
            "204": {"description": "The client had the last one"},
        }
    elif rule.path.endswith("/graph"):
        ok["content"] = {
            "image/svg+xml": {"schema": {"type": "string"}},
            "text/vnd.mermaid": {"schema": {"type": "string"}},
            "text/vnd.graphviz": {"schema": {"type": "string"}},
            "application/json": {"schema": {"type": "object"}},
        }
    elif rule.method == "DELETE":
        answers = {"202": {"description": "It was asked to stop", "content": run}}
    elif rule.path.startswith("/v1/runs/"):
        ok["content"] = run
    problem = {"application/problem+json": {"schema": {"$ref": f"{_COMPONENTS}Problem"}}}
    return {**answers, "default": {"description": "Refused", "content": problem}}


def _name_parameters(paths: Json, pipelines: Mapping[str, ServedPipeline]) -> None:
    """What the parameters in paths may be, and those that no path has."""
    for operations in paths.values():
        for operation in operations.values():
            for parameter in operation.get("parameters", []):
                if parameter["name"] == "name":
                    parameter["schema"] = {"type": "string", "enum": [*pipelines]}
                elif parameter["name"] == "model":
                    parameter["schema"] = {"type": "string", "pattern": _MODEL}
                elif parameter["name"] == "run_id":
                    parameter["schema"] = {"type": "string", "format": "uuid"}
    paths["/v1/pipelines/{name}/graph"]["get"]["parameters"].append(
        {
            "name": "format",
            "in": "query",
            "schema": {"type": "string", "enum": [*map(str, GraphFormat)], "default": "svg"},
        }
    )
    paths["/v1/runs/{run_id}/events"]["get"]["parameters"].append(
        _header("Last-Event-ID", {"type": "string"})
    )


def _of_pipeline(template: Json, name: str) -> Json:
    operation = copy.deepcopy(template)
    operation["operationId"] = f"start_{name}"
    operation["summary"] = f"Start a run of {name}"
    operation["parameters"] = [
        _header("Prefer", {"type": "string"}),
        _header(TIMEOUT_HEADER, {"type": "number", "exclusiveMinimum": 0}),
    ]
    body = {"schema": {"$ref": f"{_COMPONENTS}{name}.RunBody"}}
    run = {"schema": {"$ref": f"{_COMPONENTS}{name}.Run"}}
    operation["requestBody"] = {"required": True, "content": {"application/json": body}}
    located = {"Location": {"schema": {"type": "string"}}}
    for status, told in (("200", "It has ended"), ("202", "It goes on")):
        operation["responses"][status] = {
            "description": told,
            "headers": located,
            "content": {"application/json": run},
        }
    return operation


def _schemas_of(name: str, served: ServedPipeline) -> Json:
    """The body and the result of one pipeline, and the models of its stages."""
    given = _parts(f"{name}.Input", served.graph.input_schema())
    returned = _parts(f"{name}.Output", served.graph.output_schema())
    outputs = {
        stage: {"properties": {"data": data}}
        for stage, data in returned[f"{name}.Output"].get("properties", {}).items()
    }
    result = {"properties": {"outputs": {"properties": outputs}}}
    return {
        **given,
        **returned,
        f"{name}.RunBody": _run_body(given[f"{name}.Input"]),
        f"{name}.Run": {
            "allOf": [
                {"$ref": f"{_COMPONENTS}Run"},
                {"properties": {"result": {"anyOf": [result, {"type": "null"}]}}},
            ]
        },
    }


def _run_body(given: Json) -> Json:
    """What the first stages read is the text of the run, and the keys of its data."""
    asked = given.get("properties", {})
    required = given.get("required", [])
    data = {key: value for key, value in asked.items() if key not in _OF_TEXT}
    needed = [key for key in required if key not in _OF_TEXT]
    body: Json = {"properties": {"data": {"type": "object", "properties": data}}}
    if needed:
        body["properties"]["data"]["required"] = needed
    body["required"] = [*(["data"] if needed else []), *(k for k in _OF_TEXT if k in required)]
    body["properties"].update({key: asked[key] for key in _OF_TEXT if key in asked})
    return {"allOf": [{"$ref": f"{_COMPONENTS}RunBody"}, body]}


def _parts(name: str, schema: Json) -> Json:
    """``schema`` as a component, and what it defines as components beside it."""
    definitions = schema.get("$defs", {})
    own = {key: value for key, value in schema.items() if key != "$defs"}
    found = {name: own, **{f"{name}.{key}": value for key, value in definitions.items()}}
    return {key: _pointed(value, f"{_COMPONENTS}{name}.") for key, value in found.items()}


def _pointed(value: Any, prefix: str) -> Any:
    """``value`` with its references to what stands among the components."""
    if isinstance(value, dict):
        return {
            key: prefix + each.removeprefix("#/$defs/")
            if key == "$ref" and isinstance(each, str) and each.startswith("#/$defs/")
            else _pointed(each, prefix)
            for key, each in value.items()
        }
    return [_pointed(each, prefix) for each in value] if isinstance(value, list) else value


def _header(name: str, schema: Json) -> Json:
    return {"name": name, "in": "header", "required": False, "schema": schema}
