"""Reads the statements of a function in order, both ways where it branches."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from stageflow_actors.lint.expressions import Expressions
from stageflow_actors.lint.frame import Frame, merged
from stageflow_actors.lint.iterables import items_of
from stageflow_actors.lint.values import UNKNOWN, Inner


class Statements:
    """Executes statements as far as names are concerned."""

    def __init__(self, expressions: Expressions) -> None:
        self._expressions = expressions

    def execute(self, body: Sequence[ast.stmt], frame: Frame) -> None:
        """All of them, in order."""
        for statement in body:
            handle = getattr(self, f"_{type(statement).__name__.lower()}", self._other)
            handle(statement, frame)

    def _other(self, statement: ast.stmt, frame: Frame) -> None:
        for child in ast.iter_child_nodes(statement):
            if isinstance(child, ast.expr):
                self._expressions.evaluate(child, frame)

    def _assign(self, statement: ast.Assign, frame: Frame) -> None:
        for target in statement.targets:
            self._assign_one(target, statement.value, frame)

    def _assign_one(self, target: ast.expr, value: ast.expr, frame: Frame) -> None:
        if (
            isinstance(target, ast.Tuple)
            and isinstance(value, ast.Tuple)
            and len(target.elts) == len(value.elts)
        ):
            for part, its_value in zip(target.elts, value.elts, strict=True):
                self._assign_one(part, its_value, frame)
            return
        self._expressions.bind(target, self._expressions.evaluate(value, frame), frame)

    def _annassign(self, statement: ast.AnnAssign, frame: Frame) -> None:
        if statement.value is not None:
            self._assign_one(statement.target, statement.value, frame)

    def _augassign(self, statement: ast.AugAssign, frame: Frame) -> None:
        self._expressions.evaluate(statement.value, frame)
        self._expressions.bind(statement.target, UNKNOWN, frame)

    def _return(self, statement: ast.Return, frame: Frame) -> None:
        if statement.value is not None:
            frame.returned.append(self._expressions.evaluate(statement.value, frame))

    def _functiondef(self, statement: ast.FunctionDef | ast.AsyncFunctionDef, frame: Frame) -> None:
        """Called or not, it is read once with what it sees here."""
        inner = Inner(statement, frame.names)
        frame.assign(statement.name, (inner,) if not statement.decorator_list else UNKNOWN)
        self._read_uncalled(statement, frame)

    _asyncfunctiondef = _functiondef

    def _read_uncalled(self, node: ast.FunctionDef | ast.AsyncFunctionDef, frame: Frame) -> None:
        arguments = node.args
        own = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        own += [each for each in (arguments.vararg, arguments.kwarg) if each is not None]
        names = {**frame.names, **{each.arg: UNKNOWN for each in own}}
        self.execute(node.body, Frame(frame.function, frame.file, names))

    def _classdef(self, statement: ast.ClassDef, frame: Frame) -> None:
        frame.assign(statement.name, UNKNOWN)

    def _if(self, statement: ast.If, frame: Frame) -> None:
        self._expressions.evaluate(statement.test, frame)
        self._branches([statement.body, statement.orelse], frame)

    def _branches(self, bodies: Sequence[Sequence[ast.stmt]], frame: Frame) -> None:
        """Each body from the same start; afterwards a name may be what any of them made it."""
        before, ends = dict(frame.names), []
        for body in bodies:
            frame.names = dict(before)
            self.execute(body, frame)
            ends.append(frame.names)
        frame.names = ends[0]
        for end in ends[1:]:
            frame.names = merged(frame.names, end)

    def _for(self, statement: ast.For | ast.AsyncFor, frame: Frame) -> None:
        items = items_of(self._expressions.evaluate(statement.iter, frame))
        self._expressions.bind(statement.target, items, frame)
        self._loop(statement.body, frame)
        self.execute(statement.orelse, frame)

    _asyncfor = _for

    def _while(self, statement: ast.While, frame: Frame) -> None:
        self._expressions.evaluate(statement.test, frame)
        self._loop(statement.body, frame)
        self.execute(statement.orelse, frame)

    def _loop(self, body: Sequence[ast.stmt], frame: Frame) -> None:
        """Twice, so that what one round assigns is seen by the next."""
        for _round in range(2):
            before = dict(frame.names)
            self.execute(body, frame)
            frame.names = merged(before, frame.names)

    def _try(self, statement: ast.Try | ast.TryStar, frame: Frame) -> None:
        before = dict(frame.names)
        self.execute(statement.body, frame)
        self.execute(statement.orelse, frame)
        frame.names = merged(before, frame.names)
        for handler in statement.handlers:
            if handler.name:
                frame.assign(handler.name, UNKNOWN)
        self._branches([[], *(handler.body for handler in statement.handlers)], frame)
        self.execute(statement.finalbody, frame)

    _trystar = _try

    def _with(self, statement: ast.With | ast.AsyncWith, frame: Frame) -> None:
        for item in statement.items:
            self._expressions.evaluate(item.context_expr, frame)
            if item.optional_vars is not None:
                self._expressions.bind(item.optional_vars, UNKNOWN, frame)
        self.execute(statement.body, frame)

    _asyncwith = _with

    def _match(self, statement: ast.Match, frame: Frame) -> None:
        self._expressions.evaluate(statement.subject, frame)
        for case in statement.cases:
            for node in ast.walk(case.pattern):
                name = getattr(node, "name", None) or getattr(node, "rest", None)
                if isinstance(name, str):
                    frame.assign(name, UNKNOWN)
            if case.guard is not None:
                self._expressions.evaluate(case.guard, frame)
        self._branches([[], *(case.body for case in statement.cases)], frame)
