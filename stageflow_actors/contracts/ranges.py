"""Bounds of numbers, lengths and sizes: whether a new one is tighter than an old one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from stageflow_actors.contracts.alternatives import Alternative

Number = int | float

_LENGTHS = (
    ("minLength", 1), ("maxLength", -1), ("minItems", 1), ("maxItems", -1),
    ("minProperties", 1), ("maxProperties", -1),
)  # fmt: skip
"""Names, and the sign with which a greater number shuts out more."""


class Change(NamedTuple):
    """One difference; ``path`` leads to it from where it was found."""

    path: tuple[str, ...]
    text: str
    is_breaking: bool


class _Bound(NamedTuple):
    rank: tuple[Number, int]
    """Grows with what the bound shuts out."""

    text: str


def _no_bound() -> _Bound:
    return _Bound((-math.inf, 0), "none")


def compare_bounds(old: Alternative, new: Alternative) -> Iterator[Change]:
    """Changed bounds: of numbers, lengths of texts, sizes of arrays and objects."""
    is_whole = old.kind == "integer"  # then only whole numbers matter, in the new one too
    for name, sign in (("minimum", 1), ("maximum", -1)):
        before, after = (_of_number(each, name, sign, is_whole) for each in (old, new))
        yield from _compare(name, before, after)
    for name, sign in _LENGTHS:
        before, after = (_of_length(each, name, sign) for each in (old, new))
        yield from _compare(name, before, after)
    yield from _compare_steps(old.rule("multipleOf"), new.rule("multipleOf"))


def _compare(name: str, before: _Bound, after: _Bound) -> Iterator[Change]:
    if before.rank != after.rank:
        is_tighter = after.rank > before.rank
        text = f"{'tighter' if is_tighter else 'looser'} {name}: {before.text} -> {after.text}"
        yield Change((), text, is_tighter)


def _of_number(each: Alternative, name: str, sign: int, is_whole: bool) -> _Bound:
    inclusive = each.rule(name)
    exclusive = each.rule(f"exclusive{name.capitalize()}")
    bounds = [_no_bound()]
    if inclusive is not None:
        rank = math.ceil(sign * inclusive) if is_whole else sign * inclusive
        bounds.append(_Bound((rank, 0), f"{inclusive}"))
    if exclusive is not None:
        text = f"{exclusive} (exclusive)"
        if is_whole:
            bounds.append(_Bound((math.floor(sign * exclusive) + 1, 0), text))
        else:
            bounds.append(_Bound((sign * exclusive, 1), text))
    return max(bounds)


def _of_length(each: Alternative, name: str, sign: int) -> _Bound:
    length = each.rule(name)
    if length is None or (sign > 0 and length <= 0):
        return _no_bound()
    return _Bound((sign * length, 0), f"{length}")


def _compare_steps(before: Number | None, after: Number | None) -> Iterator[Change]:
    if before == after:
        return
    is_coarser = after is None or (before is not None and _divides(after, before))
    kind = "looser" if is_coarser else "tighter"
    yield Change((), f"{kind} multipleOf: {before or 'none'} -> {after or 'none'}", not is_coarser)


def _divides(step: Number, other: Number) -> bool:
    """Only for whole steps: fractions are multiples to within a tolerance."""
    return isinstance(step, int) and isinstance(other, int) and step != 0 and other % step == 0
