"""Which values no message may show: those of secret types, and of fields with ``repr=False``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    RootModel,
    Secret,
    SecretBytes,
    SecretStr,
)
from pydantic.fields import FieldInfo

from stageflow_actors.model.checking.locations import Step

_SECRETS = (Secret, SecretStr, SecretBytes)


class _Field(NamedTuple):
    names: frozenset[Step]
    annotation: Any
    is_hidden: bool
    """By its own ``repr=False``."""

    @property
    def is_masked(self) -> bool:
        return self.is_hidden or _is_secret(_classes_in(self.annotation))


def is_masked(model: type[BaseModel], path: Sequence[Step]) -> bool:
    """Whether ``path`` into data of ``model`` leads to, or through, a value not to be shown.

    Where several classes are possible, one that hides the value is enough.
    """
    classes = _classes_in(model)
    if _is_secret(classes):
        return True
    for step in path:
        fields = _fields_named(step, classes)
        if any(field.is_masked for field in fields):
            return True
        classes = _step_into(fields, classes)
    return False


def masked_texts(model: type[BaseModel], data: Any, path: Sequence[Step]) -> Iterator[str]:
    """The texts of the masked values in each object on the ``path``, the one at its end included.

    A validator that refuses such an object may quote them.
    """
    classes, value = _classes_in(model), data
    for step in (*path, None):
        for field in (field for cls in classes for field in _fields_of(cls)):
            if field.is_masked:
                yield from _texts(_parts_named(value, field.names))
        if step is None:
            return
        classes = _step_into(_fields_named(step, classes), classes)
        value = next(_parts_named(value, (step,)), None)


def _step_into(fields: list[_Field], classes: set[type]) -> set[type]:
    """The classes one step further; those of a container stay where the step is a key or index."""
    if not fields:
        return classes
    return set().union(*(_classes_in(field.annotation) for field in fields))


def _is_secret(classes: set[type]) -> bool:
    return any(issubclass(cls, _SECRETS) for cls in classes)


def _classes_in(annotation: Any) -> set[type]:
    """The classes in an annotation: through unions, containers, aliases and root models."""
    found: set[type] = set()
    todo: list[Any] = [annotation]
    seen: dict[int, Any] = {}
    while todo:
        part = todo.pop()
        if id(part) in seen:
            continue
        seen[id(part)] = part  # kept, so that its id stays its own
        if isinstance(part, type):
            found.add(part)
            todo += _root_of(part)
        elif get_origin(part) is Annotated:
            todo.append(part.__origin__)
        elif get_origin(part) is not Literal:
            todo += [get_origin(part), *get_args(part), getattr(part, "__value__", None)]
    return found


def _root_of(cls: type) -> list[Any]:
    if not issubclass(cls, RootModel):
        return []
    root = cls.model_fields["root"]
    return [root.annotation, *([] if root.repr else [SecretStr])]


def _fields_named(step: Step, classes: set[type]) -> list[_Field]:
    return [field for cls in classes for field in _fields_of(cls) if step in field.names]


def _fields_of(cls: type) -> Iterator[_Field]:
    """The fields of a model, a dataclass, a ``TypedDict`` or a named tuple; none of other classes.

    A field has several names: its own, its aliases, and in a tuple its index.
    """
    of_model: Mapping[str, FieldInfo] | None = getattr(cls, "__pydantic_fields__", None)
    if of_model is not None:
        for name, info in of_model.items():
            names = frozenset({name, *_aliases(info)})
            yield _Field(names, info.annotation, not info.repr)
    elif dataclasses.is_dataclass(cls) or hasattr(cls, "__total__") or hasattr(cls, "_fields"):
        hidden = {
            field.name
            for field in (dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ())
            if not field.repr
        }
        for index, (name, annotation) in enumerate(_hints(cls).items()):
            yield _Field(frozenset({name, index}), annotation, name in hidden)


def _hints(cls: type) -> dict[str, Any]:
    try:
        return get_type_hints(cls, include_extras=True)
    except (NameError, TypeError):  # names that only exist where the class was made
        return {}


def _aliases(info: FieldInfo) -> Iterator[Step]:
    given = info.validation_alias or info.alias
    for alias in given.choices if isinstance(given, AliasChoices) else [given]:
        if alias is not None:
            yield alias.path[0] if isinstance(alias, AliasPath) else alias


def _parts_named(value: Any, names: Iterable[Step]) -> Iterator[Any]:
    for name in names:
        if isinstance(value, (list, tuple)):
            yield from value[name : name + 1] if isinstance(name, int) else ()
        else:
            parts = value if isinstance(value, dict) else getattr(value, "__dict__", {})
            yield from (parts[name],) if name in parts else ()


def _texts(values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        plain = value.get_secret_value() if isinstance(value, _SECRETS) else value
        if isinstance(plain, bytes):
            yield plain.decode("utf-8", "replace")
        elif isinstance(plain, (str, int, float)) and not isinstance(plain, bool):
            yield str(plain)
