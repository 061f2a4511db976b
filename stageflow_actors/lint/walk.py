"""``Walk``: reads the body of one stage, and the functions that it hands its context to."""

from __future__ import annotations

import ast
import functools
import inspect
from types import FunctionType, MethodType
from typing import Any

from stageflow_actors.lint.calls import LIBRARY, Calls, package_of
from stageflow_actors.lint.expressions import Expressions
from stageflow_actors.lint.findings import Place
from stageflow_actors.lint.frame import Frame
from stageflow_actors.lint.parameters import bound_names
from stageflow_actors.lint.records import Arguments, Decision, Gap, Read, Records
from stageflow_actors.lint.source import Node, Sources
from stageflow_actors.lint.statements import Statements
from stageflow_actors.lint.values import (
    UNKNOWN,
    Accessor,
    Context,
    Each,
    Inner,
    Self,
    Text,
    Values,
    joined,
    value_of,
)
from stageflow_actors.model.routing import RoutingDecision
from stageflow_actors.model.stage import takes_batches

_MAX_DEPTH = 25
_MAX_FOLLOWED = 2_000
"""Functions read for one stage; one that is called with other arguments counts again."""


class Walk:
    """One stage. After ``start``, ``records`` has what was seen."""

    def __init__(self, stage: str, sources: Sources) -> None:
        self.stage = stage
        self.package = ""
        self.records = Records()
        self._sources = sources
        self._stack: list[tuple[FunctionType, Place | None]] = []  # and where it was called
        self._followed = 0
        self._expressions = Expressions(self)
        self._statements = Statements(self._expressions)
        self._calls = Calls(self, self._expressions)

    def start(self, runner: Any) -> None:
        """Read the body of a runner: a function, a stage class, an instance or a partial.

        A stage class that takes batches is given a collection of contexts, else it is one.
        """
        function, arguments = _body(runner)
        if function is None:
            what = f"{getattr(runner, '__name__', type(runner).__name__)} is not written in Python"
            self.records.no_source.append(Gap(what, None))
            return
        self.package = package_of(function)
        one: Values = (Context(),)
        arguments.positional.append((Each(one),) if takes_batches(_class_of(runner)) else one)
        self._enter(function, arguments, None)

    def call(self, node: ast.Call, functions: Values, frame: Frame) -> Values:
        """What a call may return; reads what it calls."""
        return self._calls.evaluate(node, functions, frame)

    def enter(
        self, function: FunctionType, arguments: Arguments, node: ast.AST, frame: Frame
    ) -> Values:
        """Read a function that is called in ``frame``; what it may return."""
        return self._enter(function, arguments, self.place(node, frame))

    def enter_inner(self, inner: Inner, arguments: Arguments, frame: Frame) -> Values:
        """Read a function that the function in ``frame`` defines."""
        if self._is_too_much():
            return UNKNOWN
        names = {**inner.names, **bound_names(inner.node, arguments)}
        own = Frame(frame.function, frame.file, names)
        self._stack.append((frame.function, None))
        self._read(inner.node, own)
        self._stack.pop()
        return joined(*own.returned)

    def note_read(self, accessor: Accessor, names: Values, node: ast.AST, frame: Frame) -> None:
        """An accessor is called with one of these names."""
        stages = tuple(name.text for name in names if isinstance(name, Text))
        is_complete = len(stages) == len(names)
        place = self.place(node, frame)
        self.records.reads.append(Read(accessor.name, stages, is_complete, place))

    def note_not_followed(self, what: str, node: ast.AST, frame: Frame) -> None:
        """From here on it is not known who reads what."""
        self.records.not_followed.append(Gap(what, self.place(node, frame)))

    def note_decision(self, made: RoutingDecision, node: ast.AST, frame: Frame) -> None:
        """A decision that was made when the module was imported."""
        fallback = () if made.fallback_route is None else (made.fallback_route,)
        place = self.place(node, frame)
        self.records.decisions.append(Decision((made.selected_route,), fallback, True, place))

    def place(self, node: ast.AST, frame: Frame) -> Place:
        """Where ``node`` stands; for what our own code reads, where the stage called it."""
        place = Place(frame.file, getattr(node, "lineno", 0))
        if self.package != LIBRARY:
            for function, called_at in reversed(self._stack):
                if package_of(function) != LIBRARY:
                    break
                place = called_at or place
        return place

    def _enter(
        self, function: FunctionType, arguments: Arguments, called_at: Place | None
    ) -> Values:
        function = inspect.unwrap(function)
        is_recursive = any(each is function for each, _place in self._stack)
        if is_recursive or self._is_too_much():
            return UNKNOWN
        source = self._sources.of(function)
        if source is None:
            what = f"the source of {function.__qualname__} is not available"
            self.records.no_source.append(Gap(what, called_at))
            return UNKNOWN
        self._stack.append((function, called_at))
        frame = Frame(function, source.file, bound_names(source.node, arguments, function))
        self._read(source.node, frame)
        self._stack.pop()
        return joined(*frame.returned)

    def _is_too_much(self) -> bool:
        self._followed += 1
        is_too_much = self._followed > _MAX_FOLLOWED or len(self._stack) >= _MAX_DEPTH
        if is_too_much:
            gap = Gap("calls more functions than can be followed", None)
            self.records.not_followed.append(gap)
        return is_too_much

    def _read(self, node: Node, frame: Frame) -> None:
        if isinstance(node, ast.Lambda):
            frame.returned.append(self._expressions.evaluate(node.body, frame))
        else:
            self._statements.execute(node.body, frame)


def _body(runner: Any) -> tuple[FunctionType | None, Arguments]:
    """The function that is called with the context, and the arguments before that."""
    if isinstance(runner, functools.partial):
        function, arguments = _body(runner.func)
        arguments.positional += [(value_of(each),) for each in runner.args]
        arguments.keywords.update({key: (value_of(v),) for key, v in runner.keywords.items()})
        return function, arguments
    if isinstance(runner, FunctionType):
        return runner, Arguments([])
    if isinstance(runner, MethodType):
        function, arguments = _body(runner.__func__)
        of = runner.__self__
        arguments.positional.insert(
            0, (Self(type(of), of) if not isinstance(of, type) else value_of(of),)
        )
        return function, arguments
    cls = _class_of(runner)
    instance = None if isinstance(runner, type) else runner
    name = "execute" if hasattr(cls, "execute") else "__call__"
    name = "execute_batch" if takes_batches(cls) else name
    method = inspect.getattr_static(cls, name, None)
    if isinstance(method, staticmethod):
        return _body(method.__func__)
    if not isinstance(method, FunctionType):
        return None, Arguments([])
    return method, Arguments([(Self(cls, instance),)])


def _class_of(runner: Any) -> type:
    return runner if isinstance(runner, type) else type(runner)
