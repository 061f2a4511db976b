"""``Payload``: any value as bytes, for a reader in this or another process."""

from __future__ import annotations

import io
import pickle
import sys
from typing import Any, NamedTuple

import cloudpickle

PROTOCOL = 5


class Payload(NamedTuple):
    """A pickled value: the pickle stream and its out-of-band buffers."""

    head: bytes
    buffers: tuple[bytes, ...] = ()

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.head) + sum(map(len, self.buffers)) if self.buffers else len(self.head)


class FarOutput(NamedTuple):
    """A big output that is elsewhere: a reference of Ray to its parts; ``None``: it waits to be
    taken. ``size`` is in bytes.
    """

    ref: Any
    size: int


class _ValuePickler(cloudpickle.Pickler):  # type: ignore[misc] # cloudpickle carries no types
    """Pickles values whose classes may live in ``__main__``; takes arrays out of band."""

    def reducer_override(self, value: Any) -> Any:
        numpy = sys.modules.get("numpy")
        if numpy is not None and type(value) is numpy.ndarray and not value.dtype.hasobject:
            # Only contiguous arrays travel out of band and so come back read-only.
            return numpy.ascontiguousarray(value).reshape(value.shape).__reduce_ex__(PROTOCOL)
        return super().reducer_override(value)


def encode(value: Any) -> Payload:
    """``value`` as bytes; whatever the pickling of it raises passes through."""
    stream = io.BytesIO()
    buffers: list[pickle.PickleBuffer] = []
    _ValuePickler(stream, protocol=PROTOCOL, buffer_callback=buffers.append).dump(value)
    return Payload(stream.getvalue(), tuple(bytes(buffer.raw()) for buffer in buffers))


def decode(payload: Payload) -> Any:
    """What ``encode`` was given, made anew."""
    return pickle.loads(payload.head, buffers=payload.buffers)
