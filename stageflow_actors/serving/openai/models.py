"""The models of an application: each a pipeline, and where in its outputs the answers stand."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from stageflow_actors.serving.faults import Fault, ProblemError
from stageflow_actors.serving.openai.declaration import Endpoint, OpenAIModel, refused
from stageflow_actors.serving.served import ServedPipeline

_NAME = r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,199}"


class OutputPath(NamedTuple):
    """Where something stands in the outputs of a run."""

    stage: str
    keys: tuple[str, ...]


class Model(NamedTuple):
    """A model that may be asked. ``paths`` leads to the answer of each endpoint."""

    name: str
    pipeline: str
    declared: OpenAIModel
    paths: Mapping[Endpoint, OutputPath]
    usage: OutputPath | None
    is_cancelled_when_left: bool


def models_of(pipelines: Mapping[str, ServedPipeline]) -> dict[str, Model]:
    """The models that the pipelines declare, by the names that clients say.

    Raises:
        ServingError: two have one name, a name cannot be one, or a path leads to no stage
            (``SERVE-OPENAI``).
    """
    models: dict[str, Model] = {}
    for pipeline, served in pipelines.items():
        for name, declared in _declared(pipeline, served):
            if not isinstance(name, str) or not re.fullmatch(_NAME, name):
                raise refused(
                    f"A model is named {name!r:.80}.",
                    "Use letters, digits, '.', '_', ':', '/' and '-'.",
                )
            if name in models:
                raise refused(
                    f"Two models are named {name!r}.",
                    'Give names: openai={"a-name": OpenAIModel(...)}.',
                )
            models[name] = _model(name, pipeline, served, declared)
    return models


def model_for(models: Mapping[str, Model], name: str, endpoint: Endpoint) -> Model:
    """The model of that name.

    Raises:
        ProblemError: there is none, or it is not asked for this.
    """
    model = models.get(name)
    if model is None:
        raise unknown_model()
    if endpoint not in model.paths:
        does = ", ".join(model.paths)
        detail = f"This model is not for {endpoint}; it is for {does}."
        raise ProblemError(Fault.PIPELINE_UNKNOWN, detail, param="model")
    return model


def unknown_model() -> ProblemError:
    """The answer for a model that there is not."""
    return ProblemError(Fault.PIPELINE_UNKNOWN, "There is no such model here.", param="model")


def _declared(pipeline: str, served: ServedPipeline) -> Iterator[tuple[str, OpenAIModel]]:
    given = served.openai
    if given is None:
        return
    named = given if isinstance(given, Mapping) else {pipeline: given}
    for name, declared in named.items():
        if not isinstance(declared, OpenAIModel):
            raise refused(
                f"openai of the pipeline {pipeline!r} has a {type(declared).__name__}.",
                "Give an OpenAIModel, or a mapping of names to them.",
            )
        yield name, declared


def _model(name: str, pipeline: str, served: ServedPipeline, declared: OpenAIModel) -> Model:
    stages = served.graph.plan.stage_names
    paths = {
        each: _path(name, getattr(declared, each.value), stages) for each in declared.endpoints
    }
    usage = None if declared.usage is None else _path(name, declared.usage, stages)
    return Model(name, pipeline, declared, paths, usage, served.is_cancelled_when_left)


def _path(model: str, path: str, stages: tuple[str, ...]) -> OutputPath:
    """The longest name of a stage that the path begins with, and the keys behind it."""
    for stage in sorted(stages, key=len, reverse=True):
        if path.startswith(f"{stage}."):
            return OutputPath(stage, tuple(path[len(stage) + 1 :].split(".")))
    stage = path.partition(".")[0]
    near = difflib.get_close_matches(stage, stages, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(stages)}."
    raise refused(f"The model {model!r} names {path!r}, and there is no stage {stage!r}.", hint)
