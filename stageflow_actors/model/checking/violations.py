"""What is said about data that breaks a contract: where, what was expected, what was found."""

from __future__ import annotations

from dataclasses import dataclass
from types import CodeType, TracebackType
from typing import Any

from pydantic import BaseModel, ValidationError

from stageflow_actors.errors import describe_exception
from stageflow_actors.model.checking import wording
from stageflow_actors.model.checking.locations import Path, locate, path_text

_LOCATED_LIMIT = 200
"""Violations whose places are compared; the rest is only counted."""
_ALTERNATIVES_LIMIT = 4
_PASSED_THROUGH = ("stageflow_actors.model.checking.", "pydantic.", "pydantic_core.")

EXCEPTION = "exception"
"""The kind of a violation where a validator raised what validators do not raise."""

UNUSABLE = "unusable"
"""The kind where no validator did, but the model itself cannot be used."""


@dataclass(frozen=True, slots=True)
class Violation:
    """The first violation, and how many more there are. ``kind`` is pydantic's name for it."""

    path: str
    expected: str
    got: str
    kind: str
    further: int = 0
    cause: Exception | None = None
    """What a validator raised, unless its text shows what must not be shown."""


def of_refusal(
    error: ValidationError, model: type[BaseModel], data: Any, *, by_identity: bool
) -> Violation:
    """The violation that decided ``error``, which validating ``data`` as ``model`` ended in."""
    from stageflow_actors.model.checking.masking import is_masked, masked_texts  # slow to import

    details = error.errors(include_url=False, include_context=False)
    places = [locate(each, data, by_identity=by_identity) for each in details[:_LOCATED_LIMIT]]
    first, path = details[0], places[0]
    is_hidden = is_masked(model, path)
    quotable = () if is_hidden else tuple(masked_texts(model, data, path))
    wanted = dict.fromkeys(
        wording.expected(each["type"], each["msg"], is_hidden=is_hidden, secrets=quotable)
        for each, place in zip(details, places, strict=False)
        if place == path  # each member of a union wants something else there
    )
    return Violation(
        path=path_text(path),
        expected=" or ".join([*wanted][:_ALTERNATIVES_LIMIT]),
        got="nothing" if first["type"] == "missing" else wording.got(first["input"], is_hidden),
        kind=first["type"],
        further=len(set(places)) - 1 + max(0, len(details) - _LOCATED_LIMIT),
    )


def of_exception(error: Exception, model: type[BaseModel], data: Any) -> Violation:
    """The violation where a validator of ``model`` raised ``error`` instead of judging ``data``."""
    from stageflow_actors.model.checking.masking import masked_texts  # slow to import

    text = wording.single_line(describe_exception(error))
    shows_masked = wording.quotes(text, masked_texts(model, data, ()))
    code = _first_code(error.__traceback__)
    return Violation(
        path=path_text(_field_judged_by(code, model)),
        expected=f"{code.co_qualname if code else model.__name__} to accept or refuse it",
        got=f"{type(error).__name__}: {wording.WITHHELD if shows_masked else text}",
        kind=EXCEPTION if code else UNUSABLE,
        cause=None if shows_masked else error,
    )


def _first_code(traceback: TracebackType | None) -> CodeType | None:
    """The outermost function in ``traceback`` that is neither ours nor pydantic's."""
    while traceback is not None:
        module = traceback.tb_frame.f_globals.get("__name__", "")
        if not f"{module}.".startswith(_PASSED_THROUGH):
            return traceback.tb_frame.f_code
        traceback = traceback.tb_next
    return None


def _field_judged_by(code: CodeType | None, model: type[BaseModel]) -> Path:
    """The one field of ``model`` itself that the validator with ``code`` is for, if it is so."""
    for validator in model.__pydantic_decorators__.field_validators.values():
        function = getattr(validator.func, "__func__", validator.func)
        if code is not None and getattr(function, "__code__", None) is code:
            fields = validator.info.fields
            return fields if len(fields) == 1 and fields[0] in model.model_fields else ()
    return ()
