"""Random types that can be changed, and filled with data as JSON would carry it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from types import NoneType
from typing import Annotated, Any, Literal, Union

from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

NAMES = ("a", "b", "c")
NEVER_DECLARED = ("x", "y")
JSON = st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(("", "a", "ab"))
BOUNDS = st.tuples(st.none() | st.integers(0, 2), st.none() | st.integers(3, 6))


class Shape:
    """A type, that is no Python type yet."""

    def annotation(self) -> Any:
        raise NotImplementedError

    def data(self) -> st.SearchStrategy:
        """Values that the type has."""
        raise NotImplementedError

    def changed(self) -> st.SearchStrategy:
        """Itself with one thing about it another."""
        return st.just(self)


@dataclass(frozen=True)
class Plain(Shape):
    type: Any

    def annotation(self):
        return self.type

    def data(self):
        dates = st.dates().map(date.isoformat)
        known = {bool: st.booleans(), NoneType: st.none(), Any: JSON, date: dates}
        return known[self.type]


@dataclass(frozen=True)
class Number(Shape):
    type: type
    low: int | None = None
    high: int | None = None
    is_open: bool = False
    step: int | None = None

    def annotation(self):
        low, high = ("gt", "lt") if self.is_open else ("ge", "le")
        limits = {low: self.low, high: self.high, "multiple_of": self.step}
        return Annotated[self.type, Field(**{k: v for k, v in limits.items() if v is not None})]

    def data(self):
        whole = st.integers(-12, 12).filter(self._has)
        halves = st.integers(-24, 24).map(lambda number: number / 2).filter(self._has)
        return whole if self.type is int else whole | halves

    def _has(self, number):
        if self.step and number % self.step:
            return False
        if number in (self.low, self.high):
            return not self.is_open
        return (self.low is None or number > self.low) and (self.high is None or number < self.high)

    def changed(self):
        return st.one_of(
            st.just(replace(self, type=float if self.type is int else int, step=None)),
            BOUNDS.map(lambda bounds: replace(self, low=bounds[0], high=bounds[1])),
            st.just(replace(self, is_open=not self.is_open)),
            st.sampled_from((None, 2, 4)).map(
                lambda step: replace(self, step=step if self.type is int else None)
            ),
        )


@dataclass(frozen=True)
class Sized(Shape):
    """A text, or a list of ``item``."""

    item: Shape | None
    low: int | None = None
    high: int | None = None

    def annotation(self):
        sized = str if self.item is None else list[self.item.annotation()]
        return Annotated[sized, Field(min_length=self.low, max_length=self.high)]

    def data(self):
        low, high = self.low or 0, self.high or 6
        if self.item is None:
            return st.text("ab", min_size=low, max_size=high)
        return st.lists(self.item.data(), min_size=low, max_size=high)

    def changed(self):
        sizes = BOUNDS.map(lambda bounds: replace(self, low=bounds[0], high=bounds[1]))
        if self.item is None:
            return sizes
        return sizes | altered(self.item).map(lambda item: replace(self, item=item))


@dataclass(frozen=True)
class Listed(Shape):
    values: tuple[Any, ...]

    def annotation(self):
        return Literal[self.values]

    def data(self):
        return st.sampled_from(self.values)

    def changed(self):
        return LISTED


@dataclass(frozen=True)
class Several(Shape):
    """A tuple, or a union, of ``parts``."""

    kind: str
    parts: tuple[Shape, ...]

    def annotation(self):
        of = tuple(part.annotation() for part in self.parts)
        return tuple[of] if self.kind == "tuple" else Union[of]  # noqa: UP007

    def data(self):
        if self.kind == "tuple":
            return st.tuples(*(part.data() for part in self.parts)).map(list)
        return st.one_of(*(part.data() for part in self.parts))

    def changed(self):
        return st.integers(0, len(self.parts) - 1).flatmap(self._changed_at)

    def _changed_at(self, at):
        before, part, after = self.parts[:at], self.parts[at], self.parts[at + 1 :]
        others = altered(part).map(lambda other: (*before, other, *after))
        shorter = st.just((*before, *after) or self.parts)
        longer = SHAPES.map(lambda new: (*self.parts, new))
        return (others | shorter | longer).map(lambda parts: replace(self, parts=parts))


@dataclass(frozen=True)
class Mapped(Shape):
    value: Shape

    def annotation(self):
        return dict[str, self.value.annotation()]

    def data(self):
        return st.dictionaries(st.sampled_from(NAMES), self.value.data(), max_size=3)

    def changed(self):
        return altered(self.value).map(Mapped) | FIELDS.map(Fields)


@dataclass(frozen=True)
class Fields(Shape):
    """A model. ``extra`` is what it does with other keys; ``tag`` the value of its ``kind``."""

    fields: tuple[tuple[str, Shape, bool], ...]
    extra: str = "ignore"
    tag: str | None = None
    is_tag_required: bool = True

    def annotation(self):
        annotations = {name: shape.annotation() for name, shape, _is_required in self.fields}
        optional = {name: None for name, _shape, is_required in self.fields if not is_required}
        if self.extra == "int":
            annotations["__pydantic_extra__"] = dict[str, int]
        if self.tag is not None:
            annotations["kind"] = Literal[self.tag]
            optional |= {} if self.is_tag_required else {"kind": self.tag}
        config = ConfigDict(extra="allow" if self.extra == "int" else self.extra)
        body = {"__annotations__": annotations, "model_config": config, "__module__": __name__}
        return type("Inner", (BaseModel,), {**body, **optional})

    def data(self):
        required = {n: shape.data() for n, shape, is_required in self.fields if is_required}
        optional = {n: shape.data() for n, shape, is_required in self.fields if not is_required}
        if self.tag is not None:
            (required if self.is_tag_required else optional)["kind"] = st.just(self.tag)
        if self.extra != "forbid":
            is_typed = self.extra == "int"
            free = {name for name in NAMES if name not in {**required, **optional}}
            for name in (*NEVER_DECLARED, *(free if is_typed else ())):
                optional[name] = st.integers(-9, 9) if is_typed else JSON
        return st.fixed_dictionaries(required, optional=optional)

    def changed(self):
        ways = ["more", "extra", *(["drop", "toggle", "alter"] if self.fields else [])]
        return st.tuples(st.sampled_from(ways), st.integers(0, 2)).flatmap(self._changed_so)

    def _changed_so(self, drawn):
        way, at = drawn
        if way == "more":
            own = {name for name, _shape, _is_required in self.fields}
            return FIELDS.map(
                lambda fields: replace(
                    self, fields=(*self.fields, *(each for each in fields if each[0] not in own))
                )
            )
        if way == "extra":
            extras = ("ignore", "forbid", "int")
            return st.just(replace(self, extra=extras[(extras.index(self.extra) + at) % 3]))
        at %= len(self.fields)
        before, (name, shape, is_required), after = (
            self.fields[:at],
            self.fields[at],
            self.fields[at + 1 :],
        )
        if way == "drop":
            return st.just(replace(self, fields=(*before, *after)))
        others = st.just(shape) if way == "toggle" else altered(shape)
        needed = is_required is (way != "toggle")
        return others.map(
            lambda other: replace(self, fields=(*before, (name, other, needed), *after))
        )


@dataclass(frozen=True)
class Tagged(Shape):
    """A union of two models or more that ``kind`` tells apart, if ``is_told``."""

    members: tuple[Fields, ...]
    is_told: bool = True

    def annotation(self):
        union = Union[tuple(each.annotation() for each in self.members)]  # noqa: UP007
        return Annotated[union, Field(discriminator="kind")] if self.is_told else union

    def data(self):
        if not self.is_told:
            return st.one_of(*(each.data() for each in self.members))
        return st.one_of(*(replace(each, is_tag_required=True).data() for each in self.members))

    def changed(self):
        told = st.just(replace(self, is_told=not self.is_told))
        fewer = st.just(replace(self, members=self.members[-2:]))
        changed = self.members[0].changed()
        return (
            told
            | fewer
            | changed.map(lambda first: replace(self, members=(first, *self.members[1:])))
        )


def either(*strategies: st.SearchStrategy) -> st.SearchStrategy:
    """One of these, each as often as the others; ``|`` would count what they are made of."""
    return st.sampled_from(strategies).flatmap(lambda strategy: strategy)


def altered(shape: Shape) -> st.SearchStrategy:
    """A next version: mostly changed; or the same, allowed to be nothing, or something else."""
    changed = st.deferred(lambda: shape.changed())
    or_nothing = st.just(Several("union", (shape, Plain(NoneType))))
    others = st.deferred(lambda: SHAPES)
    return either(changed, changed, changed, st.just(shape), or_nothing, others)


def _tagged(members, is_told, is_tag_required):
    named = (replace(each, tag=f"t{index}") for index, each in enumerate(members))
    return Tagged(tuple(replace(each, is_tag_required=is_tag_required) for each in named), is_told)


LISTED = st.lists(
    st.sampled_from(("a", "b", 1, 2, True, False, None)), min_size=1, max_size=4, unique_by=repr
).map(lambda values: Listed(tuple(values)))
LEAVES = either(
    st.sampled_from((bool, NoneType, Any, date)).map(Plain),
    st.sampled_from((Number(int), Number(float))),
    st.deferred(lambda: either(Number(int).changed(), Number(float).changed())),
    BOUNDS.map(lambda bounds: Sized(None, *bounds)),
    LISTED,
)
SHAPES = st.deferred(lambda: either(LEAVES, LEAVES, BRANCHES))
FIELDS = st.lists(
    st.tuples(st.sampled_from(NAMES), SHAPES, st.booleans()),
    max_size=3, unique_by=lambda field: field[0],
).map(tuple)  # fmt: skip
MODELS = st.builds(Fields, FIELDS, st.sampled_from(("ignore", "forbid", "int")))
TAGGED = st.builds(_tagged, st.lists(MODELS, min_size=2, max_size=3), st.booleans(), st.booleans())
BRANCHES = either(
    st.builds(lambda item, bounds: Sized(item, *bounds), SHAPES, BOUNDS),
    st.builds(
        Several,
        st.sampled_from(("tuple", "union")),
        st.lists(SHAPES, min_size=1, max_size=3).map(tuple),
    ),
    SHAPES.map(Mapped),
    MODELS,
    TAGGED,
)
