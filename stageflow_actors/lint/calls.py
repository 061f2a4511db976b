"""What a call does with the inputs of a stage: read them, hand them on, or neither."""

from __future__ import annotations

import ast
import builtins
import functools
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from stageflow_actors.lint.expressions import Expressions
from stageflow_actors.lint.frame import Frame
from stageflow_actors.lint.iterables import for_each, returned_by
from stageflow_actors.lint.records import Arguments, Decision
from stageflow_actors.lint.values import (
    UNKNOWN,
    Accessor,
    Bound,
    Inner,
    Known,
    Many,
    Named,
    Self,
    Text,
    Value,
    Values,
    carries_inputs,
    joined,
    takes_a_stage,
)
from stageflow_actors.model.routing import RoutingDecision

if TYPE_CHECKING:
    from stageflow_actors.lint.walk import Walk

LIBRARY = "stageflow_actors"
_READ_NOTHING = frozenset(
    {"bool", "hash", "id", "isinstance", "len", "print", "repr", "str", "type", "vars"}
)


class Calls:
    """Evaluates calls for one walk."""

    def __init__(self, walk: Walk, expressions: Expressions) -> None:
        self._walk = walk
        self._expressions = expressions

    def evaluate(self, node: ast.Call, functions: Values, frame: Frame) -> Values:
        """What the call may return."""
        arguments = self._arguments(node, frame)
        return joined(*(self._call(each, arguments, node, frame) for each in functions))

    def _arguments(self, node: ast.Call, frame: Frame) -> Arguments:
        arguments = Arguments([])
        for each in node.args:
            is_starred = isinstance(each, ast.Starred)
            values = self._expressions.evaluate(each.value if is_starred else each, frame)  # type: ignore[attr-defined] # only a Starred is asked
            many = values[0]
            if not is_starred:
                arguments.positional.append(values)
            elif isinstance(many, Many):
                arguments.positional += many.items
            else:
                arguments.is_complete = False
                if carries_inputs(values):
                    self._walk.note_not_followed("hands its inputs on with *", node, frame)
        for keyword in node.keywords:
            values = self._expressions.evaluate(keyword.value, frame)
            named = values[0]
            if keyword.arg is not None:
                arguments.keywords[keyword.arg] = values
            elif isinstance(named, Named):
                arguments.keywords.update(named.items)
            else:
                arguments.is_complete = False
        return arguments

    def _call(self, function: Value, arguments: Arguments, node: ast.Call, frame: Frame) -> Values:
        if isinstance(function, Accessor):
            names = None
            if function.position is not None:
                names = arguments.at(function.position, "stage")
            if names is not None:
                self._walk.note_read(function, names, node, frame)
            return UNKNOWN
        if isinstance(function, Bound):
            positional = [*function.arguments, *arguments.positional]
            keywords = {**function.keywords, **arguments.keywords}
            whole = Arguments(positional, keywords, arguments.is_complete)
            return self._call(function.function, whole, node, frame)
        if isinstance(function, Inner):
            return self._walk.enter_inner(function, arguments, frame)
        if isinstance(function, Known):
            return self._call_known(function.value, arguments, node, frame)
        return self._hand_over(ast.unparse(node.func), arguments, node, frame)

    def _call_known(
        self, function: Any, arguments: Arguments, node: ast.Call, frame: Frame
    ) -> Values:
        if function is RoutingDecision:
            return self._decide(arguments, node, frame)
        if function is super:
            return _super(frame)
        if function is getattr and len(arguments.positional) > 1:
            return self._getattr(arguments, node, frame)
        if function is functools.partial and arguments.positional:
            first, *rest = arguments.positional
            return tuple(Bound(each, tuple(rest), arguments.keywords) for each in first)
        made = returned_by(function, arguments, lambda f, given: self._call(f, given, node, frame))
        if made is not None:
            return made
        if isinstance(function, FunctionType) and self._is_followed(function, arguments):
            return self._walk.enter(function, arguments, node, frame)
        if _is_of_library(function) or _reads_nothing(function):
            return UNKNOWN
        return self._hand_over(_name_of(function), arguments, node, frame)

    def _is_followed(self, function: FunctionType, arguments: Arguments) -> bool:
        """Code of the stage's own package; of ours, what reads a stage by its name."""
        if package_of(function) == self._walk.package:
            return True
        is_reader = _is_of_library(function) and takes_a_stage(function)
        return is_reader and arguments.carry_inputs()

    def _hand_over(self, name: str, arguments: Arguments, node: ast.Call, frame: Frame) -> Values:
        """A call that is not followed. A function among its arguments may be what gets the rest."""
        if not arguments.carry_inputs():
            return UNKNOWN
        for index, values in enumerate(arguments.positional):
            after = [for_each(each) for each in arguments.positional[index + 1 :]]
            rest = Arguments(after, arguments.keywords)
            callees = [each for each in values if self._is_callee(each, rest)]
            if callees:
                return joined(*(self._call(each, rest, node, frame) for each in callees))
        self._walk.note_not_followed(
            f"hands its inputs to {name}, which is not followed", node, frame
        )
        return UNKNOWN

    def _is_callee(self, value: Value, rest: Arguments) -> bool:
        """Whether this is what, for instance, ``asyncio.to_thread`` will call with the rest."""
        if isinstance(value, Bound):
            return carries_inputs((value,)) or rest.carry_inputs()
        if isinstance(value, Known):
            return isinstance(value.value, FunctionType) and rest.carry_inputs()
        return isinstance(value, Accessor | Inner)

    def _getattr(self, arguments: Arguments, node: ast.Call, frame: Frame) -> Values:
        holders, names = arguments.positional[:2]
        texts = [name.text for name in names if isinstance(name, Text)]
        if carries_inputs(holders) and len(texts) != len(names):
            what = "picks a part of its inputs by a computed name"
            self._walk.note_not_followed(what, node, frame)
        found = [self._expressions.attribute(each, text) for each in holders for text in texts]
        return joined(*found) if found else UNKNOWN

    def _decide(self, arguments: Arguments, node: ast.Call, frame: Frame) -> Values:
        selected = arguments.at(0, "selected_route") or UNKNOWN
        fallback = arguments.at(2, "fallback_route") or ()
        known = tuple(each.text for each in selected if isinstance(each, Text))
        spare = tuple(each.text for each in fallback if isinstance(each, Text))
        is_none = all(isinstance(each, Known) and each.value is None for each in fallback)
        is_complete = len(known) == len(selected) and (is_none or len(spare) == len(fallback))
        place = self._walk.place(node, frame)
        self._walk.records.decisions.append(Decision(known, spare, is_complete, place))
        return UNKNOWN


def package_of(function: object) -> str:
    """The top-level package, or module, that a function or class is from."""
    return str(getattr(function, "__module__", "")).split(".")[0]


def _is_of_library(function: object) -> bool:
    return package_of(function) == LIBRARY


def _reads_nothing(function: object) -> bool:
    """Asked of the builtins as they are now: Ray, for one, puts a ``print`` of its own there."""
    return any(function is getattr(builtins, name) for name in _READ_NOTHING)


def _name_of(function: object) -> str:
    if isinstance(function, MethodType):
        return _name_of(function.__func__)
    return str(getattr(function, "__qualname__", type(function).__name__))


def _super(frame: Frame) -> Values:
    """What ``super()`` gives: the instance, seen from the class that the method is written in."""
    found = frame.look_up("__class__")[0]
    own = next(iter(frame.names.values()), UNKNOWN)
    if not isinstance(found, Known):
        return UNKNOWN
    selves = tuple(
        Self(each.cls, each.instance, found.value) for each in own if isinstance(each, Self)
    )
    return selves or UNKNOWN
