"""What all records share: they are frozen all the way down, and go to JSON and back unchanged."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from stageflow_actors.model.frozen import freeze

_INT64_MAX = 2**63 - 1

Count = Annotated[int, Field(ge=0, le=_INT64_MAX)]
"""What was counted. The bound is that of an OpenTelemetry attribute."""

Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""What was measured; the name of the field says its unit."""

Label = Annotated[str, Field(min_length=1, pattern=r"\S")]
"""A name or an id. Not blank, and valid Unicode, as it may become an attribute."""


def _freeze_plain(value: Any) -> Any:
    frozen, is_plain = freeze(value)
    if not is_plain:
        raise ValueError(f"data{_path_to_opaque(frozen)} is no plain data: dicts, lists, scalars")
    return frozen


def _path_to_opaque(value: Any) -> str:
    """Where in ``value``, which is not plain, the first part is that makes it so."""
    parts: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, dict) else ()
    parts = enumerate(value) if isinstance(value, (list, tuple)) else parts
    for key, part in parts:
        if not freeze(part)[1]:
            return f"[{key!r}]{_path_to_opaque(part)}"
    return ""


PlainDicts = Annotated[list[dict[str, Any]], Field(strict=False), AfterValidator(_freeze_plain)]
"""Dicts in the provider's own form; the list and all in it are read-only."""


def count_bytes(fields: Any, name: str) -> Any:
    """``fields`` of a record with ``byte_count`` set from the bytes in the field ``name``."""
    if not isinstance(fields, dict) or not isinstance(fields.get(name), bytes) or not fields[name]:
        return fields
    size = len(fields[name])
    if fields.get("byte_count", size) != size:
        raise PydanticCustomError("byte_count", "byte_count is not the length of the bytes given")
    return {**fields, "byte_count": size}


Path = tuple[int | str, ...]


class FrozenRecord(BaseModel):
    """Immutable data with a JSON form. Unknown fields and wrong types are refused.

    Errors name the path of a value and never show the value: it may be what somebody said.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, validate_default=True, hide_input_in_errors=True
    )

    derived: ClassVar[tuple[str, ...]] = ()
    """Properties that ``to_dict`` adds, and ``from_dict`` compares with what it finds."""

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        return ((name, value) for name, value in super().__repr_args__() if value is not None)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form, without ``raw_response`` and without bytes.

        Raises:
            pydantic.ValidationError: a value has no form in JSON (NaN, Infinity, a date); the
                error has its path.
        """
        form: dict[str, Any] = _to_json(self, type(self).__name__, ())
        return form

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The record that ``to_dict`` made ``data`` from.

        Raises:
            pydantic.ValidationError: ``data`` is no such form.
        """
        if not isinstance(data, dict):
            raise _error(cls.__name__, (), "dict_type", "Input should be a valid dictionary")
        if "raw_response" in data:
            raise _error(cls.__name__, ("raw_response",), "extra_forbidden", "It is never sent")
        record = cls.model_validate({k: v for k, v in data.items() if k not in cls.derived})
        for name in cls.derived:
            if name in data and data[name] != getattr(record, name):
                raise _error(cls.__name__, (name,), "derived", "It contradicts the other fields")
        return record


def _error(title: str, path: Path, kind: str, message: str) -> ValidationError:
    details = InitErrorDetails(
        type=PydanticCustomError(kind, message),
        loc=path,
        input=None,
    )
    return ValidationError.from_exception_data(title, [details], hide_input=True)


def _to_json(value: Any, title: str, path: Path) -> Any:
    """The value of a field as ``json.loads`` would return it; ``path`` leads to it."""
    if isinstance(value, FrozenRecord):
        return _record_to_json(value, title, path)
    if isinstance(value, tuple):
        if value and type(value[0]) is float and all(map(math.isfinite, value)):
            return list(value)  # a vector; vectors are long
        return [_to_json(item, title, (*path, index)) for index, item in enumerate(value)]
    if type(value) is Decimal:
        return str(value)
    return _plain_to_json(value, title, path)


def _plain_to_json(value: Any, title: str, path: Path) -> Any:
    """Data in a provider's form; refuses what would come back as something else."""
    kind = type(value)
    if kind in (str, int, bool) or value is None:
        return value
    if kind is float and math.isfinite(value):
        return value
    if isinstance(value, list):
        return [_plain_to_json(item, title, (*path, index)) for index, item in enumerate(value)]
    if isinstance(value, dict):
        return {
            _json_key(key, title, path): _plain_to_json(item, title, (*path, str(key)))
            for key, item in value.items()
        }
    what = value if kind is float else f"A {kind.__name__}"
    raise _error(title, path, "json_value", f"{what} has no form in JSON")


def _json_key(key: Any, title: str, path: Path) -> str:
    if type(key) is str:
        return key
    raise _error(title, (*path, str(key)), "json_key", "Keys of JSON are strings")


def _record_to_json(record: FrozenRecord, title: str, path: Path) -> dict[str, Any]:
    """All fields of the outermost record; of one inside it, those that are set."""
    form = {}
    for name, info in type(record).model_fields.items():
        value = getattr(record, name)
        if info.exclude or (path and value is None):
            continue
        form[name] = _to_json(value, title, (*path, name))
    for name in record.derived:
        form[name] = getattr(record, name)
    return form
