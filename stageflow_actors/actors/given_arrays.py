"""``given_arrays``: what a body returned and has kept nothing of, so that it needs no copy."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any
from weakref import getweakrefcount

from stageflow_actors.actors.codec import BIG, Given
from stageflow_actors.model.output import StageOutput, StageStatus

_NAME = "array"


def given_arrays(returned: object) -> Mapping[str, Given]:
    """By name, the big arrays directly among what a body returned, where it has kept nothing of it.

    Whoever may write into one later has a reference: to it, to its memory, to the data or the
    output that it is in. Nobody has where there are no more to any of these than to a sample that
    is made here and comes the same way: from a local variable, through a parameter of ``take``. On
    other ways, as out of a thread, there are more, and so the array counts as kept.
    """
    numpy = sys.modules.get("numpy")
    given: dict[str, Given] = {}
    for name in () if numpy is None else _big_arrays(returned, numpy.ndarray):
        if _is_free(returned, name):
            given[name] = Given(_data_of(returned)[name])
    return given


def _big_arrays(returned: object, ndarray: type[Any]) -> list[str]:
    data = _data_of(returned)
    if type(data) is not dict:
        return []
    big = [name for name, each in data.items() if type(each) is ndarray and each.nbytes >= BIG]
    return [name for name in big if _is_whole(data[name], ndarray)]


def _is_whole(array: Any, ndarray: type[Any]) -> bool:
    """Whether it is all of the memory that NumPy made for it, and can be kept as it is."""
    owner = array if array.base is None else array.base
    return (
        type(owner) is ndarray
        and owner.flags.owndata
        and owner.nbytes == array.nbytes
        and array.flags.c_contiguous
        and not array.dtype.hasobject
        and not (getweakrefcount(array) or getweakrefcount(owner))
    )


def _data_of(returned: Any) -> Any:
    return returned.data if type(returned) is StageOutput else returned


def _is_free(returned: object, name: str) -> bool:
    counts = _references(returned, name)
    is_view = _data_of(returned)[name].base is not None
    fewest = _fewest(is_output=type(returned) is StageOutput, is_view=is_view)
    return all(count <= least for count, least in zip(counts, fewest, strict=True))


def _references(returned: object, name: str) -> tuple[int, int, int, int]:
    """To what was returned, to its data, to an array there, and to what has its memory."""
    to_returned = sys.getrefcount(returned)
    data = _data_of(returned)
    to_data = sys.getrefcount(data)
    array = data[name]
    to_array = sys.getrefcount(array)
    owner = array if array.base is None else array.base
    return to_returned, to_data, to_array, sys.getrefcount(owner)


def _fewest(*, is_output: bool, is_view: bool) -> tuple[int, int, int, int]:
    """``_references`` of what nobody has kept: the functions stand for those that it went through.

    No number is written down: another Python may count in another way.
    """
    numpy = sys.modules["numpy"]
    returned: Any = {_NAME: numpy.empty(1).reshape(1, 1) if is_view else numpy.empty(1)}
    if is_output:
        returned = StageOutput(StageStatus.OK, returned)
    return _as_taken(returned)


def _as_taken(returned: object) -> tuple[int, int, int, int]:
    return _as_given(returned)


def _as_given(returned: object) -> tuple[int, int, int, int]:
    return _as_free(returned)


def _as_free(returned: object) -> tuple[int, int, int, int]:
    return _references(returned, _NAME)
