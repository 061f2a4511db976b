"""What an expression stands for, and which reads happen on the way."""

from __future__ import annotations

import ast
import dis
from itertools import product
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING

from stageflow_actors.lint.frame import Frame
from stageflow_actors.lint.iterables import items_of, method_of, part_of, unpacked
from stageflow_actors.lint.values import (
    UNKNOWN,
    Accessor,
    Bound,
    Context,
    Each,
    Inner,
    Inputs,
    Known,
    Many,
    Outputs,
    Self,
    Text,
    Texts,
    Value,
    Values,
    accessors,
    carries_inputs,
    joined,
    member_of,
    value_of,
)
from stageflow_actors.model.routing import RoutingDecision

if TYPE_CHECKING:
    from stageflow_actors.lint.walk import Walk

_MAX_COMBINATIONS = 64


class Expressions:
    """Evaluates expressions for one walk."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._accessors = accessors()

    def evaluate(self, node: ast.expr, frame: Frame) -> Values:
        """Everything the expression may stand for."""
        handle = getattr(self, f"_{type(node).__name__.lower()}", self._other)
        values: Values = handle(node, frame)
        for value in values:
            if isinstance(value, Known) and isinstance(value.value, RoutingDecision):
                self._walk.note_decision(value.value, node, frame)
        return values

    def _other(self, node: ast.expr, frame: Frame) -> Values:
        """Its parts are looked at; of the whole nothing is known."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.evaluate(child, frame)
            elif isinstance(child, ast.keyword):
                self.evaluate(child.value, frame)
        return UNKNOWN

    def _constant(self, node: ast.Constant, frame: Frame) -> Values:
        if node.value is None:
            return (Known(None),)
        return (Text(node.value),) if isinstance(node.value, str) else UNKNOWN

    def _name(self, node: ast.Name, frame: Frame) -> Values:
        return frame.look_up(node.id)

    def _await(self, node: ast.Await, frame: Frame) -> Values:
        return self.evaluate(node.value, frame)

    def _ifexp(self, node: ast.IfExp, frame: Frame) -> Values:
        self.evaluate(node.test, frame)
        return joined(self.evaluate(node.body, frame), self.evaluate(node.orelse, frame))

    def _boolop(self, node: ast.BoolOp, frame: Frame) -> Values:
        return joined(*(self.evaluate(value, frame) for value in node.values))

    def _namedexpr(self, node: ast.NamedExpr, frame: Frame) -> Values:
        values = self.evaluate(node.value, frame)
        frame.assign(node.target.id, values)
        return values

    def _lambda(self, node: ast.Lambda, frame: Frame) -> Values:
        return (Inner(node, dict(frame.names)),)

    def _tuple(self, node: ast.Tuple | ast.List | ast.Set, frame: Frame) -> Values:
        items = [self.evaluate(item, frame) for item in node.elts]
        if any(map(carries_inputs, items)):
            if isinstance(node, ast.Tuple) and not any(map(_is_starred, node.elts)):
                return (Many(tuple(items)),)
            self._walk.note_not_followed("puts its inputs into a collection", node, frame)
        texts = [text for item in items for text in item]
        if texts and all(isinstance(text, Text) for text in texts):
            return (Texts(tuple(text.text for text in texts if isinstance(text, Text))),)
        return UNKNOWN

    _list = _set = _tuple

    def _starred(self, node: ast.Starred, frame: Frame) -> Values:
        return self.evaluate(node.value, frame)

    def _dict(self, node: ast.Dict, frame: Frame) -> Values:
        keys = [self.evaluate(key, frame) for key in node.keys if key is not None]
        for value in node.values:
            if carries_inputs(self.evaluate(value, frame)):
                self._walk.note_not_followed("puts its inputs into a collection", node, frame)
        texts = tuple(key.text for values in keys for key in values if isinstance(key, Text))
        return (Texts(texts),) if texts and len(texts) == len(node.keys) else UNKNOWN

    def _joinedstr(self, node: ast.JoinedStr, frame: Frame) -> Values:
        parts = []
        for value in node.values:
            is_plain = isinstance(value, ast.FormattedValue) and value.format_spec is None
            if isinstance(value, ast.FormattedValue):
                part = self.evaluate(value.value, frame)
                parts.append(part if is_plain and value.conversion == -1 else UNKNOWN)
            else:
                parts.append(self.evaluate(value, frame))
        return _concatenated(parts)

    def _binop(self, node: ast.BinOp, frame: Frame) -> Values:
        sides = [self.evaluate(node.left, frame), self.evaluate(node.right, frame)]
        return _concatenated(sides) if isinstance(node.op, ast.Add) else UNKNOWN

    def _compare(self, node: ast.Compare, frame: Frame) -> Values:
        left = self.evaluate(node.left, frame)
        for operator, comparator in zip(node.ops, node.comparators, strict=True):
            right = self.evaluate(comparator, frame)
            if isinstance(operator, ast.In | ast.NotIn) and Outputs() in right:
                self._walk.note_read(Accessor("outputs", 0), left, node, frame)
            left = right
        return UNKNOWN

    def _subscript(self, node: ast.Subscript, frame: Frame) -> Values:
        holder = self.evaluate(node.value, frame)
        key = self.evaluate(node.slice, frame)
        if Outputs() in holder:
            self._walk.note_read(Accessor("outputs", 0), key, node, frame)
        return joined(*(part_of(each, node.slice) for each in holder))

    def _call(self, node: ast.Call, frame: Frame) -> Values:
        return self._walk.call(node, self.evaluate(node.func, frame), frame)

    def _attribute(self, node: ast.Attribute, frame: Frame) -> Values:
        holders = self.evaluate(node.value, frame)
        return joined(*(self.attribute(holder, node.attr) for holder in holders))

    def attribute(self, holder: Value, name: str) -> Values:
        """What ``holder.name`` stands for."""
        if isinstance(holder, Context):
            if name == "stage_name":
                return (Text(self._walk.stage),)
            return (Inputs(),) if name == "inputs" else UNKNOWN
        if isinstance(holder, Inputs):
            known = self._accessors.get(name)
            return (Outputs(),) if name == "outputs" else UNKNOWN if known is None else (known,)
        if isinstance(holder, Outputs):
            return (Accessor(f"outputs.{name}", 0 if name == "get" else None),)
        if isinstance(holder, Self):
            return _member_of_self(holder, name)
        if isinstance(holder, Known):
            return _member(holder.value, name)
        if isinstance(holder, Each):
            return method_of(holder, name)
        is_member_of_enum = isinstance(holder, Text) and name == "value"
        return (holder,) if is_member_of_enum else UNKNOWN

    def _listcomp(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp, frame: Frame
    ) -> Values:
        inner = self._loops(node.generators, frame)
        items = self.evaluate(node.elt, inner)
        if all(isinstance(item, Text) for item in items):
            return (Texts(tuple(item.text for item in items if isinstance(item, Text))),)
        return (Each(items),)

    _setcomp = _generatorexp = _listcomp

    def _dictcomp(self, node: ast.DictComp, frame: Frame) -> Values:
        inner = self._loops(node.generators, frame)
        if any(carries_inputs(self.evaluate(each, inner)) for each in (node.key, node.value)):
            self._walk.note_not_followed("puts its inputs into a collection", node, frame)
        return UNKNOWN

    def _loops(self, generators: list[ast.comprehension], frame: Frame) -> Frame:
        inner = Frame(frame.function, frame.file, dict(frame.names), frame.returned)
        for generator in generators:
            items = items_of(self.evaluate(generator.iter, inner))
            self.bind(generator.target, items, inner)
            for condition in generator.ifs:
                self.evaluate(condition, inner)
        return inner

    def bind(self, target: ast.expr, values: Values, frame: Frame) -> None:
        """Assign ``values`` to what stands on the left of an assignment."""
        if isinstance(target, ast.Name):
            frame.assign(target.id, values)
        elif isinstance(target, ast.Tuple | ast.List):
            for part, its_values in zip(target.elts, unpacked(values, target.elts), strict=True):
                self.bind(part, its_values, frame)
        elif isinstance(target, ast.Starred):
            self.bind(target.value, values, frame)
        elif carries_inputs(values):
            self._walk.note_not_followed(
                f"keeps its inputs in {ast.unparse(target)}", target, frame
            )


def _is_starred(node: ast.expr) -> bool:
    return isinstance(node, ast.Starred)


def _concatenated(parts: list[Values]) -> Values:
    """Every text that the parts can make together; unknown if one part is."""
    count = 1
    for part in parts:
        if not all(isinstance(value, Text) for value in part):
            return UNKNOWN
        count *= len(part)
    if count > _MAX_COMBINATIONS:
        return UNKNOWN
    texts = [[value.text for value in part if isinstance(value, Text)] for part in parts]
    return tuple(Text("".join(choice)) for choice in product(*texts))


def _member(found: object, name: str) -> Values:
    """An attribute of a module, a class or another object that exists."""
    if isinstance(found, ModuleType):
        return (value_of(vars(found)[name]),) if name in vars(found) else UNKNOWN
    member = member_of(found, name)
    if member is None:
        return UNKNOWN
    if isinstance(member, FunctionType) and not isinstance(found, type):
        return (Bound(Known(member), ((value_of(found),),)),)
    return (value_of(member),)


def _member_of_self(self_: Self, name: str) -> Values:
    if self_.after is None and self_.instance is not None:
        own = getattr(self_.instance, "__dict__", {})
        if name in own:
            return UNKNOWN if _is_set_later(self_.cls, name) else (value_of(own[name]),)
    order = list(self_.cls.__mro__)
    if self_.after in order:
        order = order[order.index(self_.after) + 1 :]
    for cls in order:
        if name in vars(cls):
            return _bound_member(vars(cls)[name], Self(self_.cls, self_.instance), name)
    return UNKNOWN


def _bound_member(member: object, self_: Self, name: str) -> Values:
    if isinstance(member, FunctionType):
        return (Bound(Known(member), ((self_,),)),)
    if isinstance(member, staticmethod):
        return (value_of(member.__func__),)
    if isinstance(member, classmethod):
        return (Bound(Known(member.__func__), ((Known(self_.cls),),)),)
    is_field = name in getattr(self_.cls, "__dataclass_fields__", {})
    if isinstance(member, property) or is_field or _is_set(self_.cls, name):
        return UNKNOWN
    return (value_of(member),)


def _is_set(cls: type, name: str, *, but_not_in: str = "") -> bool:
    """Whether a method of the class assigns ``self.name``, or anything of that name."""
    methods = [
        method
        for holder in cls.__mro__
        for method in vars(holder).values()
        if isinstance(method, FunctionType) and method.__name__ != but_not_in
    ]
    return any(
        step.opname == "STORE_ATTR" and step.argval == name
        for method in methods
        for step in dis.get_instructions(method)
    )


def _is_set_later(cls: type, name: str) -> bool:
    return _is_set(cls, name, but_not_in="__init__")
