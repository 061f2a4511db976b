"""From the entry of a stage to its spec: what it names is imported, its policies are made."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from stageflow_actors.configuration.entries import StageEntry
from stageflow_actors.configuration.imports import ImportProblemError, imported, imported_error
from stageflow_actors.configuration.places import Path
from stageflow_actors.configuration.policy_entries import PolicyEntry
from stageflow_actors.configuration.report import Report, did_you_mean
from stageflow_actors.errors import StageDefinitionError
from stageflow_actors.model.declaration import StageOptions, declare_stage
from stageflow_actors.model.stage import StageSpec

_ERRORS = ("retry_on", "never_on", "trip_on")
_IMPORTS = ("input_model", "output_model", "batch_size_fn")
_BESIDES_OPTIONS = ("runner", "kind")


def to_spec(report: Report, name: str, entry: StageEntry, path: Path) -> StageSpec | None:
    """The stage at ``path``; ``None`` where there is none, and ``report`` knows why."""
    known = len(report.problems)
    runner = imported_at(report, entry.runner, (*path, "runner"))
    made = _options(report, entry, path, set(entry.model_fields_set) - {*_BESIDES_OPTIONS})
    if len(report.problems) > known:
        if entry.config is not None:
            _check_arguments(report, runner, entry.config, path)
        return None
    try:
        spec = declare_stage(name, runner, entry.kind, cast("StageOptions", made))
    except StageDefinitionError as error:
        place = (*path, *_option_in(error.message, entry.model_fields_set))
        report.add(place, error.message, hint=error.hint, code=error.code)
        return None
    _check_arguments(report, spec.runner, spec.config, path)
    return spec


def imported_at(
    report: Report, path: str, place: Path, importing: Callable[[str], Any] = imported
) -> Any:
    """What ``path`` names; ``None`` where it leads nowhere, and ``report`` knows why."""
    try:
        return importing(path)
    except ImportProblemError as problem:
        report.add(place, str(problem), hint=problem.hint, code="CONFIG-IMPORT")
        return None


def _options(
    report: Report, entry: StageEntry | PolicyEntry, path: Path, given: set[str]
) -> dict[str, Any]:
    return {
        option: _made(report, option, getattr(entry, option), (*path, option))
        for option in type(entry).model_fields
        if option in given
    }


def _made(report: Report, option: str, value: Any, path: Path) -> Any:
    """A value of an entry as a stage is declared with it."""
    if isinstance(value, PolicyEntry):
        return _policy(report, value, path)
    if option == "fallbacks":
        return tuple(_policy(report, each, (*path, at)) for at, each in enumerate(value))
    if option in _ERRORS:
        return tuple(
            imported_at(report, each, (*path, at), imported_error) for at, each in enumerate(value)
        )
    if option in _IMPORTS and isinstance(value, str):
        return imported_at(report, value, path)
    if option in _IMPORTS and isinstance(value, Mapping):
        return {name: imported_at(report, each, (*path, name)) for name, each in value.items()}
    return value


def _policy(report: Report, entry: PolicyEntry, path: Path) -> Any:
    known = len(report.problems)
    made = _options(report, entry, path, set(entry.model_fields_set))
    if len(report.problems) > known:
        return None
    try:
        return entry.makes(**made)
    except StageDefinitionError as error:
        place = (*path, *_option_in(error.message, entry.model_fields_set))
        report.add(place, error.message, hint=error.hint, code=error.code)
        return None


def _option_in(message: str, given: set[str]) -> Path:
    """The option that an error speaks of, as in ``has timeout=``; nothing where it names none."""
    named = re.findall(r"\b(\w+)(?:=|\[)", message)
    return next(((option,) for option in named if option in given), ())


def _check_arguments(
    report: Report, runner: Any, config: Mapping[str, Any] | None, path: Path
) -> None:
    """Whether the constructor takes what ``config`` has. It is looked at, and not called."""
    if not isinstance(runner, type):
        return
    try:
        parameters = inspect.signature(runner).parameters.values()
    except (TypeError, ValueError):  # it does not say
        return
    takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters)
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    named = {each.name: each for each in parameters if each.kind in by_name}
    given = config or {}
    meant = ""
    for name in given:
        if name not in named and not takes_any:
            message = f"'{runner.__qualname__}' takes no argument '{name}'."
            hint = did_you_mean(str(name), named, f"It takes: {', '.join(named) or 'none'}.")
            meant += hint
            report.add((*path, "config", str(name)), message, hint=hint, code="CONFIG-ARGUMENT")
    for name, parameter in named.items():
        is_said = name in given or f"'{name}'" in meant
        if parameter.default is parameter.empty and not is_said:
            message = f"'{runner.__qualname__}' needs the argument '{name}'."
            place = path if config is None else (*path, "config")
            report.add(place, message, hint="Add it to config.", code="CONFIG-ARGUMENT")
