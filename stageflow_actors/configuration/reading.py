"""From a file to the pipelines that it declares, or to everything that is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from stageflow_actors.configuration.document import read_document
from stageflow_actors.configuration.edges import check_edges
from stageflow_actors.configuration.entries import (
    OnePipelineFile,
    PipelineEntry,
    SeveralPipelinesFile,
    StageEntry,
)
from stageflow_actors.configuration.imports import Named
from stageflow_actors.configuration.interpolation import interpolate
from stageflow_actors.configuration.overrides import override
from stageflow_actors.configuration.places import Path
from stageflow_actors.configuration.report import Report, did_you_mean, part_of
from stageflow_actors.configuration.stages import imported_at, to_spec
from stageflow_actors.configuration.validation import checked, without_extensions
from stageflow_actors.configuration.whole import FilePipeline, Whole
from stageflow_actors.errors import PolicyError, StageflowError
from stageflow_actors.interceptors.protocol import BaseInterceptor
from stageflow_actors.model.plan import DEFAULT_EXECUTION, make_plan
from stageflow_actors.model.policies.execution import ExecutionConfig
from stageflow_actors.model.stage import StageSpec
from stageflow_actors.security.admission import Admission


def read_pipelines(
    path: str | os.PathLike[str], environment: Mapping[str, str] | None = None
) -> list[FilePipeline]:
    """All pipelines of the file at ``path``; ``environment`` is that of the process by default.

    Raises:
        ConfigurationError: something is wrong; it has every problem of the file.
    """
    report, found = _examined(path, environment)
    made = [_pipeline(report, data, name, place) for name, (place, data) in found.items()]
    report.check()
    return [each for each in made if each is not None]


def read_pipeline(
    path: str | os.PathLike[str],
    name: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> FilePipeline:
    """The pipeline ``name``, or the only one. What only the others import is not imported.

    Raises:
        ConfigurationError: something is wrong, or there is no such pipeline (``CONFIG-PIPELINE``).
    """
    report, found = _examined(path, environment)
    known = ", ".join(found)
    if name is None and len(found) > 1:
        hint = f"Name one of them: {known}."
        report.add((), f"has {len(found)} pipelines.", hint=hint, code="CONFIG-PIPELINE")
    elif name is not None and name not in found and found:
        hint = did_you_mean(name, found, f"It has: {known}.")
        report.add((), f"has no pipeline '{name}'.", hint=hint, code="CONFIG-PIPELINE")
    elif found:
        wanted = next(iter(found)) if name is None else name
        place, data = found[wanted]
        made = _pipeline(report, data, wanted, place)
        report.check()
        if made is not None:
            return made
    report.check()
    raise AssertionError("a file without pipelines has a problem")


def _examined(
    path: str | os.PathLike[str], environment: Mapping[str, str] | None
) -> tuple[Report, dict[str, tuple[Path, Any]]]:
    """What is wrong with the form of the file; place and data of each pipeline by name."""
    variables = os.environ if environment is None else environment
    report = read_document(path)
    override(report, variables)
    data = interpolate(report, without_extensions(report.document.data), variables)
    if isinstance(data, Mapping) and "pipelines" in data:
        checked(report, SeveralPipelinesFile, data, ())
        pipelines = data["pipelines"]
        if isinstance(pipelines, Mapping):
            if not pipelines:
                report.add(
                    ("pipelines",), "has no pipeline.", hint="Add one.", code="CONFIG-MISSING"
                )
            return report, {name: (("pipelines", name), each) for name, each in pipelines.items()}
        return report, {}
    checked(report, OnePipelineFile, data, ())
    if not isinstance(data, Mapping):
        return report, {}
    name = data.get("name")
    usual = FilePath(path).stem
    return report, {name if isinstance(name, str) and name.strip() else usual: ((), data)}


def _pipeline(report: Report, data: Any, name: str, path: Path) -> FilePipeline | None:
    """The pipeline, as far as its form is sound: what is not has been noted before."""
    stages = part_of(data, ("stages",))
    if not isinstance(stages, Mapping):
        return None
    place = (*path, "stages")
    specs = {}
    for stage, entry in stages.items():
        spec = _spec(report, stage, entry, (*place, stage))
        if spec is not None:
            specs[stage] = spec
    whole = _whole(report, data, stages, path)
    check_edges(report, stages, specs, place)
    if not report.is_clean_below(path) or whole is None:
        return None
    _check_plan(report, name, list(specs.values()), whole.execution, path)
    return FilePipeline(name, tuple(specs.values()), whole)


def _spec(report: Report, name: str, data: Any, path: Path) -> StageSpec | None:
    if report.is_clean_below(path):
        return to_spec(report, name, StageEntry.model_validate(data), path)
    # What the rest of it imports can be told at once; how its parts go together cannot.
    rest = Report(report.document)
    try:
        sound = StageEntry.model_validate(_sound_part(report, data, path))
    except ValidationError:  # nothing is left that makes sense
        return None
    to_spec(rest, name, sound, path)
    has_config = isinstance(part_of(data, ("config",)), Mapping)
    kept = ("CONFIG-IMPORT", "CONFIG-ARGUMENT") if has_config else ("CONFIG-IMPORT",)
    report.problems += [each for each in rest.problems if each.code in kept]
    return None


def _sound_part(report: Report, data: Any, path: Path) -> Any:
    """``data`` without the values that something is wrong with; lists go as a whole."""
    if not isinstance(data, Mapping):
        return data
    return {
        key: _sound_part(report, value, (*path, key))
        for key, value in data.items()
        if report.is_clean_below((*path, key)) or isinstance(value, Mapping)
    }


def _whole(report: Report, data: Any, stages: Mapping[str, Any], path: Path) -> Whole | None:
    parts = {key: data[key] for key in ("execution", "interceptors") if key in data}
    if not all(report.is_clean_below((*path, part)) for part in parts):
        return None
    entry = PipelineEntry.model_validate({**parts, "stages": {}})
    execution = DEFAULT_EXECUTION
    if entry.execution is not None:
        place = (*path, "execution")
        given: dict[str, Any] = {
            option: getattr(entry.execution, option) for option in entry.execution.model_fields_set
        }
        if entry.execution.on_stage_error is not None:
            called = imported_at(report, entry.execution.on_stage_error, (*place, "on_stage_error"))
            if called is None:
                return None
            given["on_stage_error"] = called
        for stage in entry.execution.error_policy:
            if stage not in stages:
                hint = did_you_mean(stage, stages, "Name a stage of this pipeline.")
                message = f"error_policy names '{stage}', which does not exist."
                report.add((*place, "error_policy", stage), message, hint=hint, code="POLICY-STAGE")
        try:
            execution = ExecutionConfig(**given)
        except PolicyError as error:
            report.add(place, error.message, hint=error.hint, code=error.code)
            return None
    return Whole(execution, _interceptors(report, entry, (*path, "interceptors")))


def _interceptors(report: Report, entry: PipelineEntry, path: Path) -> tuple[Named, ...] | None:
    if entry.interceptors is None:
        return None
    found = []
    for index, each in enumerate(entry.interceptors):
        place = (*path, index)
        value = imported_at(report, each, place)
        if report.is_clean_below(place) and not isinstance(value, BaseInterceptor | Admission):
            what = "a class itself" if isinstance(value, type) else "no interceptor"
            hint = "Name an object of a module, an instance of BaseInterceptor."
            report.add(place, f"'{each}' is {what}.", hint=hint, code="CONFIG-IMPORT")
        found.append(Named(each, value))
    return tuple(found)


def _check_plan(
    report: Report, name: str, specs: list[StageSpec], execution: ExecutionConfig, path: Path
) -> None:
    """What concerns several stages at once, and is no edge: guards, shared processes."""
    try:
        make_plan(name, specs, execution)
    except StageflowError as error:
        # It is said of the stage that the message names first.
        named = {error.message.find(f"'{spec.name}'"): spec.name for spec in specs}
        told = sorted(at for at in named if at >= 0)
        place = (*path, "stages", *([named[told[0]]] if told else []))
        report.add(place, error.message, hint=error.hint, code=error.code)
