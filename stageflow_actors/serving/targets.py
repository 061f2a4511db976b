"""What the operator names: pipelines and verifiers, by import path or file. No request does so."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from stageflow_actors.configuration.imports import ImportProblemError, imported
from stageflow_actors.configuration.places import SUFFIXES
from stageflow_actors.pipeline import Pipeline, StageGraph
from stageflow_actors.security import TokenVerifier
from stageflow_actors.serving.faults import ServingError

VERIFIER_HINT = (
    "Name an object with 'async def verify(token)', or what makes one without arguments."
)
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


def verifier_from(found: Any) -> TokenVerifier | None:
    """The verifier that was found, or that what was found makes; ``None``: it is neither."""
    is_maker = inspect.isroutine(found) or isinstance(found, type)
    made = found() if is_maker else found
    return made if isinstance(made, TokenVerifier) else None
