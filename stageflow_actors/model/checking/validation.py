"""Validating data against a model so that the data stays as it is, whatever validators do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from stageflow_actors.model.checking import forms
from stageflow_actors.model.checking.violations import Violation, of_exception, of_refusal

_NO_JSON = "json_invalid"
"""What the parser says of text that is beyond its bounds: numbers too long, nesting too deep."""

ModelT = TypeVar("ModelT", bound=BaseModel)


def validate(
    model: type[ModelT], data: Any, *, strict: bool | None, context: Any = None
) -> ModelT | Violation:
    """``data`` as ``model``, or the violation that keeps it from being one. Never changes ``data``.

    ``strict=None`` leaves it to the model. Strictly, data is right if it has the declared types as
    it is, as the JSON that it is (a list for a tuple, a text for a date), or with a set for every
    frozen one.
    """
    given = data
    try:
        if isinstance(data, Mapping) and not isinstance(data, dict):
            given = data = dict(data)
        if forms.runs_functions(model):
            given = forms.copied(data)
        valid: ModelT = model.__pydantic_validator__.validate_python(
            given, strict=strict, context=context
        )
    except ValidationError as error:
        is_strict = strict or (strict is None and model.model_config.get("strict"))
        verdict = _in_another_form(model, data, strict, context) if is_strict else None
        if verdict is None:
            verdict = of_refusal(error, model, given, by_identity=True)
        return verdict
    except Exception as error:
        return of_exception(error, model, given)
    return valid


def _as_json(
    model: type[ModelT], data: Any, strict: bool | None, context: Any
) -> ModelT | Violation | None:
    """The verdict on ``data`` as JSON text; ``None`` where it has no such form."""
    text = forms.json_form(data)
    if text is None:
        return None
    try:
        valid: ModelT = model.__pydantic_validator__.validate_json(
            text, strict=strict, context=context
        )
    except ValidationError as error:
        found = of_refusal(error, model, data, by_identity=False)
        return None if (found.kind, found.path) == (_NO_JSON, "") else found
    except Exception as error:
        return of_exception(error, model, data)
    return valid


def _in_another_form(
    model: type[ModelT], data: Any, strict: bool | None, context: Any
) -> ModelT | Violation | None:
    """The verdict on ``data`` as JSON or with sets thawed; ``None`` where it has no such form."""
    verdict = _as_json(model, data, strict, context)
    if verdict is not None or not forms.has_frozen_sets(data):
        return verdict
    given = forms.thawed(data)
    try:
        valid: ModelT = model.__pydantic_validator__.validate_python(
            given, strict=strict, context=context
        )
    except ValidationError as error:
        return of_refusal(error, model, given, by_identity=True)
    except Exception as error:
        return of_exception(error, model, given)
    return valid
