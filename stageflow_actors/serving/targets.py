"""Pipelines that the operator names: objects, import paths, files. No request comes here."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from stageflow_actors.configuration.imports import ImportProblemError, imported
from stageflow_actors.configuration.places import SUFFIXES
from stageflow_actors.pipeline import Pipeline, StageGraph
from stageflow_actors.serving.faults import ServingError

_CODE = "SERVE-TARGET"


def pipeline_at(target: str) -> Pipeline | StageGraph:
    """The pipeline at ``package.module:name``, ``flows.yaml`` or ``flows.yaml:name``.

    What an import path names is a pipeline, or a function without parameters that returns one.

    Raises:
        ServingError: there is none (``SERVE-TARGET``).
        ConfigurationError: the file declares none.
    """
    found = found_at(target)
    if not isinstance(found, Pipeline | StageGraph):
        raise ServingError(
            f"{target!r} is no pipeline but a {type(found).__name__}.",
            hint="Name a pipeline, or a function without parameters that returns one.",
            code=_CODE,
        )
    return found


def found_at(target: str) -> Any:
    """What is there, whatever it is; where it is a function, what that returns.

    Raises:
        ServingError: there is nothing (``SERVE-TARGET``).
        ConfigurationError: the file declares no such pipeline.
    """
    place, _colon, name = target.rpartition(":")
    if target.lower().endswith(SUFFIXES):
        return Pipeline.from_file(Path(target))
    if place.lower().endswith(SUFFIXES):
        return Pipeline.from_file(Path(place), name)
    if not place:
        raise ServingError(
            f"{target!r} names no pipeline.",
            hint="Write package.module:name, or the path of a file.",
            code=_CODE,
        )
    try:
        found = imported(target)
    except ImportProblemError as problem:
        raise ServingError(str(problem), hint=problem.hint, code=_CODE) from problem
    is_factory = inspect.isroutine(found)
    return found() if is_factory else found
