"""From the text ``module:attribute``, or the path of a file, to a pipeline."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, cast

from stageflow_actors.cli.failure import CommandError
from stageflow_actors.cli.modules import import_target, make_importable, send_code_in
from stageflow_actors.cli.target import Target, parse_target
from stageflow_actors.errors import StageflowError, describe_exception
from stageflow_actors.model.stage import StageSpec
from stageflow_actors.pipeline import Pipeline, StageGraph

Loaded = Pipeline | StageGraph
Found = TypeVar("Found")


def load_pipeline(text: str) -> Loaded:
    """The pipeline that ``text`` names, not necessarily one that builds.

    The attribute is a ``Pipeline``, a ``StageGraph``, or a function without parameters that returns
    one of them. In a file of pipelines it is the name of one.

    Raises:
        CommandError: it cannot be had; message and hint say why and what to do.
        StageflowError: making it raised this.
    """
    kinds: tuple[type[Loaded], ...] = (Pipeline, StageGraph)
    return load(text, kinds)


def load(text: str, kinds: tuple[type[Found], ...]) -> Found:
    """What ``text`` names, one of ``kinds``, or what a function there returns.

    Raises:
        CommandError, StageflowError: as ``load_pipeline``.
    """
    target = parse_target(text)
    if target.file is not None and target.is_declared:
        folder = target.file.resolve().parent
        make_importable(Path.cwd())
        make_importable(folder)
        declared: Any = Pipeline.from_file(target.file, target.attribute or None)
        send_code_in(folder)
        return cast("Found", declared)
    module = import_target(target)
    if not target.attribute:
        raise _no_attribute(target, module)
    found = _attribute(target, module)
    if not isinstance(found, kinds) and callable(found):
        found = _call(target, found)
    if not isinstance(found, kinds):
        raise _no_pipeline(target, found, module)
    return found


def declared_specs(pipeline: Loaded) -> Sequence[StageSpec]:
    """The stages as declared, whether they form a pipeline or not."""
    return pipeline.specs if isinstance(pipeline, StageGraph) else pipeline.declared()


def _attribute(target: Target, module: ModuleType) -> Any:
    found: Any = module
    for part in target.attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise _missing(target, part, found, module) from None
    return found


def _call(target: Target, function: Any) -> Any:
    try:
        inspect.signature(function).bind()
    except (TypeError, ValueError):
        raise CommandError(
            f"{target.text!r} is {_described(function)} that cannot be called without arguments.",
            hint="Name a pipeline, or a function without parameters that returns one.",
            code="CLI-NOT-A-PIPELINE",
        ) from None
    try:
        return function()
    except StageflowError:
        raise
    except Exception as error:
        raise CommandError(
            f"Calling {target.text!r} raised {type(error).__name__}: {describe_exception(error)}",
            hint="Correct the function, or name a pipeline.",
            code="CLI-IMPORT",
        ) from error


def _missing(target: Target, part: str, holder: object, module: ModuleType) -> CommandError:
    pipelines = _pipelines_in(module)
    near = difflib.get_close_matches(part, [name for name in dir(holder) if name[0] != "_"], n=1)
    hints = [f"Did you mean {near[0]}?"] if near else []
    return CommandError(
        f"Module {module.__name__!r} has no attribute {target.attribute!r}.",
        hint=" ".join([*hints, _offer(module, pipelines)]),
        code="CLI-ATTRIBUTE",
    )


def _no_attribute(target: Target, module: ModuleType) -> CommandError:
    pipelines = _pipelines_in(module)
    return CommandError(
        f"{target.text!r} names a module, but no pipeline in it.",
        hint=f"Write {target.text}:{pipelines[0] if pipelines else 'attribute'}. "
        + _offer(module, pipelines),
        code="CLI-ATTRIBUTE",
    )


def _no_pipeline(target: Target, found: object, module: ModuleType) -> CommandError:
    if inspect.iscoroutine(found):
        found.close()
    return CommandError(
        f"{target.text!r} is no pipeline but {_described(found)}.",
        hint=_offer(module, _pipelines_in(module)),
        code="CLI-NOT-A-PIPELINE",
    )


def _described(found: object) -> str:
    if inspect.isroutine(found) or isinstance(found, type):
        return f"a {type(found).__name__}"
    return f"an object of type {type(found).__name__}"


def _pipelines_in(module: ModuleType) -> list[str]:
    return [
        name for name, value in vars(module).items() if isinstance(value, Pipeline | StageGraph)
    ]


def _offer(module: ModuleType, pipelines: list[str]) -> str:
    if not pipelines:
        return f"Module {module.__name__!r} has no pipeline at its top level."
    return f"Pipelines in {module.__name__!r}: {', '.join(pipelines)}."
