"""Kinds of values in a file: what each may be, and how its JSON Schema says so."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from stageflow_actors.model.frozen import FrozenDict
from stageflow_actors.model.policies.numbers import LONGEST_S

_NAME = r"[^\W\d]\w*"
_DOTTED = rf"{_NAME}(\.{_NAME})*"


class Entry(BaseModel):
    """A mapping of a file. Keys that it does not know are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def _not_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise PydanticCustomError("number_type", "should be a number")
    return value


def _listed(value: Any) -> Any:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list | tuple):
        raise PydanticCustomError("names_type", "should be a name or a list of names")
    return value


_ONE_OR_SEVERAL = FrozenDict(
    {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
)

Count = Annotated[int, Field(ge=1), BeforeValidator(_not_bool)]
Number = Annotated[float, Field(gt=0, allow_inf_nan=False), BeforeValidator(_not_bool)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False), BeforeValidator(_not_bool)]
Bytes = Annotated[int, Field(ge=0), BeforeValidator(_not_bool)]
Seconds = Annotated[float, Field(gt=0, le=LONGEST_S), BeforeValidator(_not_bool)]
Delay = Annotated[float, Field(ge=0, le=LONGEST_S), BeforeValidator(_not_bool)]
Milliseconds = Annotated[float, Field(ge=0, le=LONGEST_S * 1000), BeforeValidator(_not_bool)]
Text = Annotated[str, Field(min_length=1)]
Names = Annotated[tuple[Text, ...], BeforeValidator(_listed), WithJsonSchema(_ONE_OR_SEVERAL)]
ImportPath = Annotated[str, Field(pattern=rf"^{_DOTTED}:{_DOTTED}$")]
"""``package.module:name``; the name may have dots."""
ErrorName = Annotated[str, Field(pattern=rf"^({_DOTTED}:)?{_DOTTED}$")]
"""The import path of an exception, or the name of one of Python's own."""
ErrorNames = Annotated[
    tuple[ErrorName, ...], BeforeValidator(_listed), WithJsonSchema(_ONE_OR_SEVERAL)
]
