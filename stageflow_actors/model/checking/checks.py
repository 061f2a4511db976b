"""``Contract``: the check of what a stage returned. ``read_as``: reading it as a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from stageflow_actors.errors import StageContractError
from stageflow_actors.model.checking.validation import ModelT, validate
from stageflow_actors.model.checking.violations import EXCEPTION, UNUSABLE, Violation
from stageflow_actors.model.frozen import FrozenDict

RUN_INPUT = "<input>"
"""Stands in for a stage's name where a stage reads the input of the run."""

INPUT_CODE = "CONTRACT-INPUT"
_PATH_LIMIT = 200

_REMEDIES: Mapping[str, str] = FrozenDict(
    {
        "missing": "Add the key, or give the field a default.",
        "extra_forbidden": "Leave the key out, or declare it as a field.",
        "recursion_loop": "Refer to the repeated part by a key or an id.",
        UNUSABLE: "Complete the model first: define every name in it, then call model_rebuild().",
        EXCEPTION: "Mend that validator: it refuses data with ValueError or AssertionError.",
    }
)
_STRICT_REMEDY = (
    "A contract converts nothing: give the value this type, or let the model's config say "
    "strict=False."
)
_REMEDY = "Give a value that fits, or change the model."


@dataclass(frozen=True, slots=True)
class Contract:
    """What the data of ``stage`` has to be: by its own word, or for ``reader``, which reads it.

    A check changes nothing: the data stays as the stage returned it. Values have to be of the
    declared types, or of the JSON form of these, unless the model's config says ``strict``.
    """

    model: type[BaseModel]
    stage: str
    reader: str | None = None

    def check(self, data: Mapping[str, Any]) -> None:
        """Pass, if ``data`` is as promised.

        Raises:
            StageContractError: it is not; the error says where, for the first violation.
        """
        is_silent = self.model.model_config.get("strict") is None
        verdict = validate(self.model, data, strict=True if is_silent else None)
        if isinstance(verdict, Violation):
            raise self._error(verdict, is_strict=is_silent) from verdict.cause

    def _error(self, violation: Violation, *, is_strict: bool) -> StageContractError:
        model = self.model.__name__
        whose = (
            "The input of the run" if self.stage == RUN_INPUT else f"The output of '{self.stage}'"
        )
        if self.reader is None:
            return contract_error(
                f"{whose} breaks its contract {model}",
                violation,
                f"{model} is output_model= of '{self.stage}'.",
                is_strict=is_strict,
            )
        return contract_error(
            f"{whose} breaks the contract {model} of its reader '{self.reader}'",
            violation,
            f"{model} is input_model= of '{self.reader}'.",
            code=INPUT_CODE,
            is_strict=is_strict,
        )


def read_as(model: type[ModelT], data: Mapping[str, Any], *, stage: str, reader: str) -> ModelT:
    """The data of ``stage`` as ``model``, for ``reader``. Converts, unless the model is strict.

    Raises:
        StageContractError: the data cannot be read so (``CONTRACT-INPUT``); it says where.
    """
    verdict = validate(model, data, strict=None)
    if isinstance(verdict, Violation):
        raise contract_error(
            f"'{reader}' cannot read '{stage}' as {model.__name__}",
            verdict,
            code=INPUT_CODE,
            is_strict=bool(model.model_config.get("strict")),
        ) from verdict.cause
    return verdict


def contract_error(
    what: str,
    violation: Violation,
    whose_model: str = "",
    *,
    code: str | None = None,
    is_strict: bool,
) -> StageContractError:
    """``what``, and where and why, as an error."""
    place = f" at {_shortened(violation.path)}" if violation.path else ""
    count = violation.further
    more = f" ({count:,} further violation{'' if count == 1 else 's'})" if count else ""
    is_about_type = violation.kind.endswith("_type") or violation.kind == "is_instance_of"
    otherwise = _STRICT_REMEDY if is_strict and is_about_type else _REMEDY
    hint = f"{_REMEDIES.get(violation.kind, otherwise)} {whose_model}".strip()
    return StageContractError(
        f"{what}{place}: expected {violation.expected}, got {violation.got}{more}.",
        path=violation.path,
        expected=violation.expected,
        got=violation.got,
        hint=hint,
        code=code,
    )


def _shortened(path: str) -> str:
    half = _PATH_LIMIT // 2
    return path if len(path) <= _PATH_LIMIT else f"{path[:half]}...{path[-half:]}"
