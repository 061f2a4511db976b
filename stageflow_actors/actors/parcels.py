"""``Parcel``: a message as it travels where references to objects of Ray may be in it.

Ray follows a reference only where it sees it: beside the bytes, as an argument or a result.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any

from ray import ObjectRef

from stageflow_actors.actors.messages import pack, unpack

Parcel = bytes | tuple[bytes, list[ObjectRef[Any]]]
"""Bytes alone, or with the references that they name by position."""
Respond = Callable[[Parcel | Exception], None]
"""Called once, with the answer to a call, or why there is none."""


class _Pickler(pickle.Pickler):
    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream, protocol=5)
        self.refs: list[ObjectRef[Any]] = []

    def persistent_id(self, obj: Any) -> int | None:
        if not isinstance(obj, ObjectRef):
            return None
        self.refs.append(obj)
        return len(self.refs) - 1


class _Unpickler(pickle.Unpickler):
    def __init__(self, packed: bytes, refs: list[ObjectRef[Any]]) -> None:
        super().__init__(io.BytesIO(packed))
        self._refs = refs

    def persistent_load(self, pid: int) -> ObjectRef[Any]:
        return self._refs[pid]


def wrap(message: tuple[Any, ...], *, has_refs: bool) -> Parcel:
    """``message`` for another process; to look for references costs several times as much."""
    if not has_refs:
        return pack(message)
    stream = io.BytesIO()
    pickler = _Pickler(stream)
    pickler.dump(message)
    return stream.getvalue(), pickler.refs


def unwrap(parcel: Parcel) -> Any:
    """The message that ``wrap`` was given."""
    if isinstance(parcel, bytes):
        return unpack(parcel)
    return _Unpickler(*parcel).load()
