"""What an expression in a stage may stand for, as far as the check can know without running it."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import FunctionType, MethodType
from typing import Any

from stageflow_actors.model.inputs import StageInputs


@dataclass(frozen=True, slots=True)
class Unknown:
    """Anything."""


@dataclass(frozen=True, slots=True)
class Text:
    """A string that is known."""

    text: str


@dataclass(frozen=True, slots=True)
class Texts:
    """A collection of known strings, or a mapping with such keys."""

    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Context:
    """The context of the stage."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """``ctx.inputs``."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """``ctx.inputs.outputs``."""


@dataclass(frozen=True, slots=True)
class Accessor:
    """A method of the inputs that reads the stage in parameter number ``position``, if in any."""

    name: str
    position: int | None


class _SameObject:
    """Equal to what holds the very same objects; their own ``==`` is user code and is not asked."""

    __slots__ = ()

    def _held(self) -> tuple[object, ...]:
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _SameObject) and self._ids() == other._ids()

    def __hash__(self) -> int:
        return hash(self._ids())

    def _ids(self) -> tuple[object, ...]:
        return (type(self), *map(id, self._held()))


@dataclass(frozen=True, slots=True, eq=False)
class Self(_SameObject):
    """The instance of a stage class; ``instance`` where there is one already.

    With ``after`` it is what ``super()`` gives in a method of that class.
    """

    cls: type
    instance: Any = None
    after: type | None = None

    def _held(self) -> tuple[object, ...]:
        return self.cls, self.instance, self.after


@dataclass(frozen=True, slots=True, eq=False)
class Known(_SameObject):
    """An object that exists: a module, a class, a function, ..."""

    value: Any

    def _held(self) -> tuple[object, ...]:
        return (self.value,)


@dataclass(frozen=True, slots=True)
class Bound:
    """A function with its first arguments, as a method or ``functools.partial`` has them."""

    function: Value
    arguments: tuple[Values, ...] = ()
    keywords: Mapping[str, Values] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Many:
    """What ``*args`` collected, or a tuple: one after the other."""

    items: tuple[Values, ...]


@dataclass(frozen=True, slots=True)
class Each:
    """A collection of any length, such as the contexts of a batch: what each item may stand for."""

    items: Values


@dataclass(frozen=True, slots=True)
class Named:
    """What ``**kwargs`` collected."""

    items: Mapping[str, Values]


@dataclass(frozen=True, slots=True)
class Inner:
    """A function or lambda defined in the body that is being read, with the names it can see."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    names: Mapping[str, Values]


Value = (
    Unknown
    | Text
    | Texts
    | Context
    | Inputs
    | Outputs
    | Accessor
    | Self
    | Known
    | Bound
    | Many
    | Each
    | Named
    | Inner
)
Values = tuple[Value, ...]
"""Everything that one expression may stand for; never empty."""

UNKNOWN: Values = (Unknown(),)
_MAX_VALUES = 64


def joined(*several: Values) -> Values:
    """All of them, each once."""
    values: list[Value] = []
    for value in (value for each in several for value in each):
        if value not in values:
            values.append(value)
    return tuple(values[:_MAX_VALUES]) or UNKNOWN


def value_of(found: object) -> Value:
    """The value that stands for an object that exists."""
    if isinstance(found, str):
        return Text(str.__str__(found))
    if isinstance(found, list | tuple | set | frozenset | dict):
        texts = tuple(item for item in found if isinstance(item, str))
        return Texts(texts) if texts and len(texts) == len(found) else Known(found)
    if isinstance(found, MethodType):
        return Bound(Known(found.__func__), ((value_of(found.__self__),),))
    return Known(found)


def accessors() -> dict[str, Accessor]:
    """The methods of ``StageInputs`` by name."""
    return {
        name: Accessor(name, _position_of_stage(method))
        for name, method in vars(StageInputs).items()
        if isinstance(method, FunctionType) and not name.startswith("_")
    }


def takes_a_stage(function: FunctionType) -> bool:
    """Whether one of its parameters is called ``stage``."""
    return _position_of_stage(function) is not None


def carries_inputs(values: Values) -> bool:
    """Whether one of them gives access to the outputs of other stages."""
    return any(_gives_access(value) for value in values)


def _gives_access(value: Value) -> bool:
    if isinstance(value, Bound):
        return any(map(carries_inputs, (*value.arguments, *value.keywords.values())))
    if isinstance(value, Many | Named):
        items = value.items if isinstance(value, Many) else value.items.values()
        return any(map(carries_inputs, items))
    if isinstance(value, Each):
        return carries_inputs(value.items)
    return isinstance(value, Context | Inputs | Outputs | Accessor)


def _position_of_stage(function: FunctionType) -> int | None:
    """Counted without ``self``."""
    parameters = list(inspect.signature(function).parameters)
    names = parameters[1:] if parameters[:1] == ["self"] else parameters
    return names.index("stage") if "stage" in names else None


def member_of(found: object, name: str) -> object | None:
    """An attribute of an object that exists, found without running any of its code."""
    if isinstance(found, type) and issubclass(found, Enum):
        return found.__members__.get(name)
    if isinstance(found, Enum) and name == "value":
        value: object = found._value_
        return value
    member = inspect.getattr_static(found, name, None)
    return member.__func__ if isinstance(member, staticmethod) else member
