"""Checks the data of a file against its entries, and says each mistake in the words of a file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from stageflow_actors.configuration.entries import ONE, SEVERAL
from stageflow_actors.configuration.places import Path
from stageflow_actors.configuration.report import Report, did_you_mean, part_of
from stageflow_actors.configuration.values import Entry
from stageflow_actors.model.frozen import FrozenDict

Checked = TypeVar("Checked", bound=Entry)

_SAID = FrozenDict(
    {
        "model_type": "should be a mapping",
        "dict_type": "should be a mapping",
        "tuple_type": "should be a list",
        "list_type": "should be a list",
        "string_type": "should be a text",
        "string_too_short": "should not be empty",
        "too_short": "should not be empty",
        "float_type": "should be a number",
        "float_parsing": "should be a number",
        "int_type": "should be a whole number",
        "int_parsing": "should be a whole number",
        "int_from_float": "should be a whole number",
        "bool_type": "should be true or false",
        "bool_parsing": "should be true or false",
    }
)


def checked(report: Report, entry: type[Checked], data: Any, path: Path) -> Checked | None:
    """``data`` at ``path`` as an ``entry``; ``None`` where it is none, and ``report`` knows why."""
    try:
        return entry.model_validate(data)
    except ValidationError as error:
        for details in error.errors(include_url=False):
            _note(report, entry, data, path, details)
        return None


def _note(report: Report, entry: type[Entry], data: Any, path: Path, details: ErrorDetails) -> None:
    steps = tuple(step for step in details["loc"] if step not in (ONE, SEVERAL, "[key]"))
    place, kind = (*path, *steps), details["type"]
    if kind == "extra_forbidden":
        known = [*_model_at(entry, steps[:-1]).model_fields]
        hint = did_you_mean(str(steps[-1]), known, f"Known: {', '.join(sorted(known))}.")
        report.add(place, f"unknown key '{steps[-1]}'.", hint=hint, code="CONFIG-KEY")
    elif "[key]" in details["loc"]:
        message = f"the name {str(steps[-1])!r} {_message(details)}."
        report.add(place, message, hint="Rename it.", code="CONFIG-KEY")
    elif kind == "missing":
        message = f"lacks '{steps[-1]}'."
        report.add(place[:-1], message, hint="Add it.", code="CONFIG-MISSING")
    else:
        written = part_of(data, steps)
        value = details["input"] if written is None else written
        hint = _hint(entry, steps, value, details)
        report.refuse(place, _message(details), value, hint=hint, code="CONFIG-VALUE")


def _message(details: ErrorDetails) -> str:
    if details["type"] == "string_pattern_mismatch":
        is_path = ":" in details.get("ctx", {}).get("pattern", "")
        return "should be an import path" if is_path else "should have more than blanks"
    return str(_SAID.get(details["type"], details["msg"].removeprefix("Input ")))


def _hint(entry: type[Entry], steps: Path, value: Any, details: ErrorDetails) -> str:
    kind = details["type"]
    if kind == "enum":
        choices = details.get("ctx", {}).get("expected", "")
        near = did_you_mean(str(value), re.findall("'([^']*)'", choices))
        if near:
            return near
    if kind == "string_pattern_mismatch":
        return "Write package.module:Name."
    if kind == "string_type" and isinstance(value, int | float):
        return "Put quotes around it."
    field = _model_at(entry, steps[:-1]).model_fields.get(str(steps[-1])) if steps else None
    usual = None if field is None else field.default
    if isinstance(usual, str | int | float):
        return f"Correct it, or leave it out: then it is {str(usual).lower()}."
    is_required = field is None or field.is_required()
    return "Correct it." if is_required else "Correct it, or leave it out."


def _model_at(entry: type[Entry], steps: Path) -> type[BaseModel]:
    """The innermost model that ``steps`` lead through in an ``entry``."""
    annotation: Any = entry
    found: type[BaseModel] = entry
    for step in steps:
        container = _plain(annotation)
        model = _in_annotation(annotation)
        if get_origin(container) in (dict, tuple):
            annotation = get_args(container)[1 if get_origin(container) is dict else 0]
        elif model is not None and step in model.model_fields:
            annotation = model.model_fields[str(step)].annotation
        found = _in_annotation(annotation) or found
    return found


def _plain(annotation: Any) -> Any:
    """The container in ``X | None`` or ``Annotated[X, ...]``, else the annotation itself."""
    for each in (annotation, *get_args(annotation)):
        if get_origin(each) in (dict, tuple):
            return each
    return annotation


def _in_annotation(annotation: Any) -> type[BaseModel] | None:
    """The first model in ``annotation``."""
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation if issubclass(annotation, BaseModel) else None
    return next(filter(None, map(_in_annotation, get_args(annotation))), None)


def without_extensions(data: Any) -> Any:
    """The top level of a file without the keys that only hold parts for aliases."""
    if not isinstance(data, Mapping):
        return data
    return {key: value for key, value in data.items() if not str(key).startswith("x-")}
